"""Measures the predictor against the straightforward way: `python -m benchmarks.bench_predictor`.

The straightforward way is ``MTCNN().detect_faces`` on the full photo, the same crop, and
``model.predict`` of the Keras model; it is built before the clock runs. Both sides run in one process,
in turns; figures are medians. Written to ``benchmarks/predictor.json``.
"""

import argparse
import os
import pathlib
import statistics
import time
from collections.abc import Callable

import numpy as np
import PIL.Image

from benchmarks.common import run_fresh, write_report

MODEL = pathlib.Path("hf_model")
# What TensorFlow and Keras import where it is installed, for a second and more, and prediction does not need.
NOT_NEEDED = ("jax", "matplotlib", "pandas", "pyarrow")
COLD = """
import json, resource, sys, time
sys.modules.update(dict.fromkeys(sys.argv[2:]))  # as if these were not installed
start = time.perf_counter()
from hf_model import AgeGenderPredictor
imported = time.perf_counter()
predictor = AgeGenderPredictor.from_pretrained("hf_model", engine="keras")
loaded = time.perf_counter()
(face,) = predictor(sys.argv[1])
answered = time.perf_counter()
predictor(sys.argv[1])
again = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({"import_s": imported - start, "load_s": loaded - imported, "first_answer_s": answered - loaded,
                  "second_answer_s": again - answered, "cold_s": answered - start, "peak_gb": peak}))
"""


class Straightforward:
    """What a user would write first."""

    def __init__(self, predictor):
        import mtcnn

        from hf_model.network.architecture import build_model
        from hf_model.network.weights import load_weights

        self.settings = predictor.settings
        self.refine = predictor.detector.refine  # a part of "the same crop"
        self.detector = mtcnn.MTCNN()
        self.model = build_model(self.settings.heads, self.settings.input.size)
        load_weights(self.model, MODEL / "model.safetensors")

    def photo(self, photo: PIL.Image.Image) -> tuple[dict, float]:
        """Box and age of the most confident face."""
        from hf_model.faces.face import Face, chip_square
        from hf_model.pictures.alignment import cut

        best = max(self.detector.detect_faces(np.asarray(photo)), key=lambda item: item["confidence"])
        (face,) = self.refine(photo, [Face.from_mtcnn(best)])
        crop = cut(photo, chip_square(face, self.settings.crop), self.settings.input.size)
        return face.clipped(*photo.size), self.chip(crop)

    def chip(self, chip: PIL.Image.Image) -> float:
        """Age of a chip."""
        from hf_model.network.preprocessing import preprocess
        from hf_model.pictures.resize import resize

        size = self.settings.input.size
        answer = self.model.predict(preprocess(resize(chip, size)[None]), verbose=0)
        return float(answer["age"][0, 0])


def in_turns(repeats: int, **calls: Callable) -> dict[str, float]:
    """Median seconds of each call, made in turns; one round before the clock runs."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def cold_start(photo: str, missing: tuple[str, ...] = (), repeats: int = 3) -> dict:
    """The median of fresh processes by their time to the first answer; one before fills the disk's cache."""
    runs = [run_fresh(COLD, photo, *missing) for _ in range(repeats + 1)][1:]
    return sorted(runs, key=lambda run: run["cold_s"])[repeats // 2]


def astronaut() -> PIL.Image.Image:
    import skimage.data

    return PIL.Image.fromarray(skimage.data.astronaut())


def overlap(first: dict, second: dict) -> float:
    """Intersection over union of two boxes."""
    width = min(first["xmax"], second["xmax"]) - max(first["xmin"], second["xmin"])
    height = min(first["ymax"], second["ymax"]) - max(first["ymin"], second["ymin"])
    both = max(width, 0) * max(height, 0)
    areas = [(box["xmax"] - box["xmin"]) * (box["ymax"] - box["ymin"]) for box in (first, second)]
    return both / (sum(areas) - both)


def measure_photo(predictor, plain: Straightforward, photo: PIL.Image.Image, repeats: int) -> dict:
    """One photo end to end, both ways."""
    seconds = in_turns(repeats, predictor=lambda: predictor(photo), straightforward=lambda: plain.photo(photo))
    (face,) = predictor(photo)
    box, age = plain.photo(photo)
    return {
        "pixels": list(photo.size),
        "seconds": seconds,
        "times_faster": seconds["straightforward"] / seconds["predictor"],
        "box_overlap": overlap(face.box, box),
        "age_difference": abs(face.age - age),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_predictor", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tempfile

    from hf_model import AgeGenderPredictor

    small = astronaut()
    with tempfile.TemporaryDirectory() as folder:
        small.save(f"{folder}/astronaut.png")
        cold = cold_start(f"{folder}/astronaut.png", NOT_NEEDED)
        cold_beside_others = cold_start(f"{folder}/astronaut.png")
    predictor = AgeGenderPredictor.from_pretrained(MODEL, engine="keras")
    plain = Straightforward(predictor)
    large = PIL.Image.new("RGB", (4000, 3000), "gray")
    large.paste(small.resize((3000, 3000), PIL.Image.Resampling.BICUBIC), (500, 0))
    figures = {
        "photo_512": measure_photo(predictor, plain, small, args.repeats),
        "photo_12_megapixels": measure_photo(predictor, plain, large, max(args.repeats // 2, 1)),
        "cold_start": cold,
        "cold_start_where_also_installed": {"packages": NOT_NEEDED, **cold_beside_others},
    }
    random = np.random.default_rng(0)
    chips = [
        small.crop((150 + dx, 40 + dy, 290 + dx, 180 + dy)).resize((200, 200))
        for dx, dy in random.integers(0, 30, (256, 2))
    ]
    alone = chips[:32]
    seconds = in_turns(
        max(args.repeats // 2, 1),
        predictor=lambda: predictor(chips, faces="none"),
        straightforward=lambda: [plain.chip(chip) for chip in alone],
    )
    rates = {"predictor": len(chips) / seconds["predictor"], "straightforward": len(alone) / seconds["straightforward"]}
    figures["chips_256"] = {"per_second": rates, "times_faster": rates["predictor"] / rates["straightforward"]}
    # Why the predictor's batch shapes end at 8.
    inputs = {n: np.zeros((n, predictor.size, predictor.size, 3), np.float32) for n in (1, 4, 8, 32)}
    seconds = in_turns(
        args.repeats, **{str(n): lambda batch=batch: predictor.forward(batch) for n, batch in inputs.items()}
    )
    figures["forward_per_second_by_batch"] = {n: int(n) / value for n, value in seconds.items()}
    onnx = AgeGenderPredictor.from_pretrained(MODEL, engine="onnx")
    some = chips[:96]
    seconds = in_turns(args.repeats, keras=lambda: predictor(some, faces="none"), onnx=lambda: onnx(some, faces="none"))
    figures["engines"] = {
        "per_second": {name: len(some) / value for name, value in seconds.items()},
        "keras_over_onnx": seconds["onnx"] / seconds["keras"],
    }
    write_report("predictor", ("tensorflow", "keras", "mtcnn", "numpy", "pillow", "onnxruntime"), figures)


if __name__ == "__main__":
    main()
