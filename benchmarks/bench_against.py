"""Measures this tree's predictor against version 0.1.0's, in turns: `python -m benchmarks.bench_against`.

Version 0.1.0 is commit d939c1a, checked out into a temporary git worktree. Each side runs in a process of its own and is
asked for one photo at a time, in turns; figures are medians of seconds, and ratios of them. Written to
``benchmarks/against_010.json``.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image

from benchmarks.common import write_report

VERSION_010 = "d939c1a"
SERVE = """
import sys, time
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model")
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    faces = predictor(line.strip(), faces="all")
    print(time.perf_counter() - start, len(faces), flush=True)
"""


class Side:
    """One tree's predictor in a process of its own."""

    def __init__(self, folder: pathlib.Path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            cwd=folder,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"the predictor in {folder} did not start")

    def ask(self, photo: pathlib.Path) -> tuple[float, int]:
        """Seconds for a photo, and how many faces were found in it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{photo}\n")
        self.process.stdin.flush()
        seconds, faces = self.process.stdout.readline().split()
        return float(seconds), int(faces)

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


def make_photos(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """JPEG files: a photo of 512 px, and of 12 megapixels a portrait, one without a face, and a crowd of small faces."""
    import skimage.data

    from tests.hf_model.test_detection import paste_faces

    astronaut = PIL.Image.fromarray(skimage.data.astronaut())
    portrait = PIL.Image.new("RGB", (4000, 3000), "gray")
    portrait.paste(astronaut.resize((3000, 3000), PIL.Image.Resampling.BICUBIC), (500, 0))
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    empty = PIL.Image.fromarray(coarse).resize((4000, 3000), PIL.Image.Resampling.BICUBIC)
    places = [(300 + 800 * column, 250 + 560 * row, 80) for column in range(5) for row in range(5)]
    photos = {
        "photo_512": astronaut,
        "portrait_12_megapixels": portrait,
        "no_face_12_megapixels": empty,
        "crowd_12_megapixels": paste_faces(astronaut, (4000, 3000), places),
    }
    paths = {}
    for name, photo in photos.items():
        paths[name] = folder / f"{name}.jpg"
        photo.save(paths[name], quality=92)
    return paths


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_against", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        before = folder / "before"
        git = ["git", "worktree"]
        subprocess.run([*git, "add", "--detach", str(before), VERSION_010], check=True, capture_output=True)
        try:
            photos = make_photos(folder)
            sides = {"version_010": Side(before), "this_tree": Side(pathlib.Path.cwd())}
            figures: dict = {"version_010": VERSION_010}
            for photo, path in photos.items():
                taken: dict[str, list[float]] = {side: [] for side in sides}
                faces = {}
                for turn in range(args.repeats + 1):
                    for side, process in sides.items():
                        seconds, faces[side] = process.ask(path)
                        if turn:  # the first round fills caches and traces
                            taken[side].append(seconds)
                medians = {side: statistics.median(times) for side, times in taken.items()}
                ratio = medians["this_tree"] / medians["version_010"]
                figures[photo] = {"seconds": medians, "faces": faces, "times_as_long": ratio}
                print(photo, json.dumps(figures[photo]), flush=True)
            for process in sides.values():
                process.close()
        finally:
            subprocess.run([*git, "remove", "--force", str(before)], check=False, capture_output=True)
    write_report("against_010", ("tensorflow", "keras", "mtcnn", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
