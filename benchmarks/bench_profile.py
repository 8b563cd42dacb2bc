"""Where a photo's time goes: `python -m benchmarks.bench_profile`.

Single photos, files to answers, the time of each part without that of the parts within it; beside the time that the
processor needs at its own speed for the network's multiplications alone, as ``benchmarks/engines.json`` has it. Written
to ``benchmarks/profile.json``, and drawn to ``benchmarks/profile.png``.
"""

import argparse
import collections
import json
import pathlib
import tempfile
import time
from collections.abc import Callable

from benchmarks.bench_engines import MULTIPLY_ADDS
from benchmarks.common import FOLDER, write_report
from benchmarks.sides import make_photos

ENGINES = {"auto": {"engine": "auto"}, "int8": {"engine": "openvino", "precision": "int8"}, "onnx": {"engine": "onnx"}}
PARTS = (
    "reading",
    "pyramid of sizes",
    "MTCNN's networks",
    "its candidates",
    "rest of the detector",
    "crop and measures",
    "ResNet50",
    "the rest",
)


class Clock:
    """Sums the time of wrapped functions, each without that of the wrapped functions that it calls."""

    def __init__(self):
        self.seconds: dict[str, float] = collections.defaultdict(float)
        self._within = [0.0]

    def wrap(self, part: str, function: Callable) -> Callable:
        def timed(*arguments, **options):
            start = time.perf_counter()
            self._within.append(0.0)
            try:
                return function(*arguments, **options)
            finally:
                taken = time.perf_counter() - start
                self.seconds[part] += taken - self._within.pop()
                self._within[-1] += taken

        return timed


def profile(options: dict, files: list[pathlib.Path]) -> dict:
    """Milliseconds a photo by part, on an engine."""
    from unittest import mock

    from hf_model import AgeGenderPredictor, answering
    from hf_model.faces import cropping
    from hf_model.network.mtcnn import cascade

    predictor = AgeGenderPredictor.from_pretrained("hf_model", **options)
    clock, found = Clock(), predictor.detector.load()
    places = [(cropping, "read_reduced", "reading"), (cropping, "read_in_own_colours", "reading")]
    places += [(cascade, "area_resized", "pyramid of sizes"), (found, "proposal", "MTCNN's networks")]
    places += [(found, "refine", "MTCNN's networks"), (found, "output", "MTCNN's networks")]
    places += [(cascade, "patches", "its candidates"), (cascade, "suppressed", "its candidates")]
    places += [
        (cropping.FaceCropper, "_choose", "rest of the detector"),
        (cropping.FaceCropper, "prepare", "crop and measures"),
        (answering.Answerer, "run", "ResNet50"),
    ]
    for file in files:
        predictor(file)
    for place, name, part in places:
        mock.patch.object(place, name, clock.wrap(part, getattr(place, name))).start()
    try:
        start = time.perf_counter()
        for file in files:
            predictor(file)
        whole = time.perf_counter() - start
    finally:
        mock.patch.stopall()
    clock.seconds["the rest"] = whole - sum(clock.seconds.values())
    parts = {part: round(1000 * clock.seconds[part] / len(files), 2) for part in PARTS}
    return {"runs": predictor.engine, "ms": parts, "whole_ms": round(1000 * whole / len(files), 2)}


def draw(figures: dict, path: pathlib.Path) -> None:
    """Bars of the parts, one an engine and size of photo."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [(f"{size}\n{side['runs']}", side["ms"]) for size, sides in figures.items() for side in sides.values()]
    figure, axes = plt.subplots(figsize=(8, 0.62 * len(rows) + 1.6), layout="constrained")
    left = [0.0] * len(rows)
    colours = plt.get_cmap("cividis")
    for number, part in enumerate(PARTS):
        values = [ms[part] for _, ms in rows]
        axes.barh([name for name, _ in rows], values, left=left, label=part, color=colours(number / (len(PARTS) - 1)))
        left = [start + value for start, value in zip(left, values, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds a photo, one photo at a time")
    axes.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.4, -0.14), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_profile", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--photos", type=int, default=40, help="of 448 pixels; of 12 megapixels a quarter")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        sets = {
            "448 px": make_photos(pathlib.Path(name), (448, 448), args.photos),
            "12 MP": make_photos(pathlib.Path(name), (4000, 3000), max(args.photos // 4, 1)),
        }
        figures = {
            size: {side: profile(options, files) for side, options in ENGINES.items()} for size, files in sets.items()
        }
    speeds = json.loads((FOLDER / "engines.json").read_text(encoding="utf-8"))
    least = {
        precision: round(MULTIPLY_ADDS / speed / 1e6, 2)
        for precision, speed in speeds["processor_billion_multiply_adds_a_second"].items()
    }
    draw(figures, FOLDER / "profile.png")
    write_report(
        "profile",
        ("openvino", "onnxruntime", "numpy", "pillow"),
        {"photos": figures, "resnet50_at_the_processors_speed_ms": least},
    )


if __name__ == "__main__":
    main()
