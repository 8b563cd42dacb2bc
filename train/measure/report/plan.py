"""What a whole measurement takes: on how many pictures, and how long on this machine.

A few chips and scenes are timed; what was kept from a run that was broken off takes no time, and is counted all the
same.
"""

import time

import numpy as np

from train.data import Chips
from train.measure.calibrate import fit_familiarity, int8_ranges, quality_limits, uncertainty
from train.measure.context import Context
from train.measure.raw import candidates
from train.measure.raw.changes import load_rows, spread_rows
from train.measure.raw.labels import holds_chips, read_chips, read_labels
from train.measure.raw.open_faces import OpenFaces
from train.measure.raw.outputs import RawOutputs
from train.measure.raw.scenes import make_scene
from train.measure.report import explanations, london
from train.measure.report.engines import runnable

TIMED = 32


def jobs(n: dict[str, int], context: Context) -> list[tuple[str, int, int]]:
    """What is measured, on how many chips, and on how many photos.

    Args:
        n: the number of chips by split.
        context: its limits mean what they do in the steps.
    """
    limit, limit_changed = context.limit or max(n.values()), context.limit_changed
    split, rows = {name: min(count, limit) for name, count in n.items()}, len(load_rows())
    changed = len(spread_rows(split["validation"], limit_changed or uncertainty.CHANGED_CHIPS))
    some = min(context.limit or quality_limits.CHIPS, limit_changed or quality_limits.CHIPS, quality_limits.CHIPS)
    steps = sum(len(list(ladder.steps())) for ladder in quality_limits.LADDERS) + 1
    tested = min(limit_changed or limit, split["test"])
    explained = min(limit_changed or explanations.CHIPS, split["test"])
    photos = sum(
        len(read_chips(folder)[0] if holds_chips(folder) else read_labels(folder)) for folder in context.external
    )
    trained = fit_familiarity.TRAINING_FACES
    familiar = min(context.limit or trained, n.get("train", trained))
    unsure = min(limit_changed or candidates.PICTURES, candidates.PICTURES)
    return [
        ("familiarity: training and validation chips", familiar + split["validation"], 0),
        ("uncertainty: validation chips, also changed", split["validation"] + rows * changed, 0),
        ("quality limits: both splits, step by step", 2 * steps * some, 2 * some),
        ("int8 ranges: validation chips", context.limit or int8_ranges.CHIPS, 0),
        ("test chips, on each engine", split["test"] * (1 + len(runnable(context.model))), 0),
        ("end to end: test chips in scenes, upright and tilted", 0, 2 * split["test"]),
        ("robustness: test chips, changed in each of the rows", rows * tested, 0),
        ("explanations: two heat maps of a face, and covering it", 2 * 5 * explained, 0),
        ("no faces: other things, and small and turned faces", 0, 5 * unsure),
        ("datasets: photos of the external sets", 0, photos),
        ("london: open faces, as they are and scaled down", 0, (1 + len(london.EYES)) * len(OpenFaces.load().path)),
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


def run(context: Context) -> None:
    """Prints what is ahead."""
    outputs = RawOutputs(context.model, None)
    chip, photo = seconds_each(outputs, context.all_chips["validation"])
    print(
        f"{outputs.predictor.engine}: {1 / chip:.0f} chips, {1 / photo:.1f} photos a second. To measure, if "
        f"nothing "
        f"is kept:"
    )
    total = 0.0
    for name, chips, photos in jobs({name: len(split) for name, split in context.all_chips.items()}, context):
        seconds = chips * chip + photos * photo
        total += seconds
        print(f"{chips + photos:8d} pictures {seconds / 60:6.1f} min  {name}")
    print(f"In all about {total / 60:.0f} minutes.", flush=True)
