"""What `make evaluate` is about to measure, on how many pictures, and how long that takes on this machine.

    python -m train.measure.plan --model hf_model --data DIR [--external FOLDER]

A few chips and scenes are timed; what was kept from a run that was broken off takes no time, and is counted all the same.
"""

import argparse
import pathlib
import time

import numpy as np

from hf_model.console import expanded_path
from train.data import Chips, load_chips
from train.measure import calibrate, explanations, familiarity, no_faces, quality, quantize
from train.measure.external import holds_chips, read_chips, read_labels
from train.measure.outputs import RawOutputs
from train.measure.precisions import runnable
from train.measure.robustness import load_rows
from train.measure.scenes import make_scene

TIMED = 32


def jobs(n: dict[str, int], args: argparse.Namespace) -> list[tuple[str, int, int]]:
    """What is measured, on how many chips, and on how many photos.

    Args:
        n: the number of chips by split.
        args: of the command line; the limits mean what they do in the commands that follow.
    """
    limit = args.limit or max(n.values())
    split, rows = {name: min(count, limit) for name, count in n.items()}, len(load_rows())
    changed = len(calibrate.spread_rows(split["validation"], args.limit_changed or calibrate.CHANGED_CHIPS))
    some = min(args.limit or quality.CHIPS, args.limit_changed or quality.CHIPS, quality.CHIPS)
    steps = sum(len(list(ladder.steps())) for ladder in quality.LADDERS) + 1
    tested = min(args.limit_changed or limit, split["test"])
    covered = min(args.limit_changed or explanations.CHIPS, split["test"])
    photos = sum(
        len((read_chips(folder)[0] if holds_chips(folder) else read_labels(folder)).file) for folder in args.external
    )
    seen = min(args.limit or familiarity.TRAINING_FACES, n.get("train", familiarity.TRAINING_FACES))
    doubted = min(args.limit_changed or no_faces.PICTURES, no_faces.PICTURES)
    return [
        ("how familiar: training and validation chips", seen + split["validation"], 0),
        ("ranges and probabilities: validation chips", split["validation"] + rows * changed, 0),
        ("limits of quality: both splits, step by step", 2 * steps * some, 2 * some),
        ("ranges of int8: validation chips", args.limit or quantize.CHIPS, 0),
        ("test chips, in each engine's precisions", split["test"] * (1 + len(runnable(args.model))), 0),
        ("test chips in scenes, upright and tilted", 0, 2 * split["test"]),
        ("test chips, changed in each of the rows", rows * tested, 0),
        ("heat maps: two of each face, and what covering does", 2 * 5 * covered, 0),
        ("things that are no faces, and small and turned ones", 0, 5 * doubted),
        ("photos of other data", 0, photos),
    ]


def seconds_each(outputs: RawOutputs, chips: Chips) -> tuple[float, float]:
    """What a chip and a photo take, from a few chips that were answered once before."""
    images = list(chips.take(np.arange(min(TIMED, len(chips)))).images)
    random = np.random.default_rng(0)
    scenes = [make_scene(image, random).image for image in images[: TIMED // 4]]
    times = []
    for pictures, faces in ((images, "none"), (scenes, "all")):
        outputs.predictor(pictures, faces=faces)
        start = time.monotonic()
        outputs.predictor(pictures, faces=faces)
        times.append((time.monotonic() - start) / len(pictures))
    return times[0], times[1]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.plan", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--external", type=expanded_path, action="append", default=[], help="folder of other photos")
    parser.add_argument("--limit", type=int, help="at most so many chips of a split")
    parser.add_argument("--limit-changed", type=int, help="at most so many for the changed rows")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    outputs = RawOutputs(args.model, None)
    splits = load_chips(args.data, args.cache)[0]
    chip, photo = seconds_each(outputs, splits["validation"])
    print(
        f"{outputs.predictor.engine}: {1 / chip:.0f} chips, {1 / photo:.1f} photos a second. To measure, if nothing is kept:"
    )
    total = 0.0
    for name, chips, photos in jobs({name: len(split) for name, split in splits.items()}, args):
        seconds = chips * chip + photos * photo
        total += seconds
        print(f"{chips + photos:8d} pictures {seconds / 60:6.1f} min  {name}")
    print(f"In all about {total / 60:.0f} minutes.", flush=True)


if __name__ == "__main__":
    main()
