"""Measures this tree's predictor against version 0.2.0's, in turns: `python -m benchmarks.bench_against`.

Version 0.2.0 is commit 1039406, checked out into a temporary git worktree. Each side runs in a process of its own and is
asked for one photo at a time, in turns; figures are medians of seconds, and ratios of them. Written to
``benchmarks/against_020.json``.
"""

import argparse
import json
import pathlib
import statistics
import tempfile

import numpy as np
import PIL.Image

from benchmarks.common import write_report
from benchmarks.sides import OURS, VERSION_020, Side, version_020


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
    with tempfile.TemporaryDirectory() as folder, version_020() as before:
        photos = make_photos(pathlib.Path(folder))
        sides = {"version_020": Side(OURS, before, faces="all"), "this_tree": Side(OURS, faces="all")}
        figures: dict = {"version_020": VERSION_020}
        for photo, path in photos.items():
            taken: dict[str, list[float]] = {side: [] for side in sides}
            faces = {}
            for turn in range(args.repeats + 1):
                for side, process in sides.items():
                    result = process.ask([path])
                    faces[side] = len(result["answers"][0])
                    if turn:  # the first round fills caches and traces
                        taken[side].append(result["seconds"])
            medians = {side: statistics.median(times) for side, times in taken.items()}
            ratio = medians["this_tree"] / medians["version_020"]
            figures[photo] = {"seconds": medians, "faces": faces, "times_as_long": ratio}
            print(photo, json.dumps(figures[photo]), flush=True)
        for process in sides.values():
            process.close()
    write_report("against_020", ("tensorflow", "keras", "mtcnn", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
