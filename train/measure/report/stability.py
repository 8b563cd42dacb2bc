"""Whether prediction intervals hold whichever faces they were fitted on: five random halves of validation and test
faces.

Each half, with its changed copies, fits the model of the error (in fewer rounds than what ships), and coverage is
measured on the other half.
"""

import numpy as np

from train.measure.calibrate.error_model import Faces, covered
from train.measure.calibrate.uncertainty import CHANGED_CHIPS, fit_calibration
from train.measure.context import Context
from train.measure.raw.changes import changed_rows, load_rows, spread_rows
from train.measure.raw.labels import Labels
from train.measure.report.trust import predicted_levels

HALVES = 5
ROUNDS = 2


def tell_halves(clean: Faces, changed: dict[str, Faces], rows: np.ndarray, halves: int = HALVES) -> dict:
    """Coverage of the halves that were not fitted on: ``all``, and by bin of predicted age; the mean, least and most of
    all halves.

    Args:
        clean: faces as they are.
        changed: by row, copies of the clean faces ``rows`` (M,).
    """
    random = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(halves):
        fitted = random.permutation(len(clean.age)) < len(clean.age) // 2
        copies = np.flatnonzero(fitted[rows])
        calibration = fit_calibration(
            clean.take(np.flatnonzero(fitted)), [faces.take(copies) for faces in changed.values()], ROUNDS
        )
        told = clean.take(np.flatnonzero(~fitted))
        inside = covered(told, calibration)
        for name, mask in [("all", np.ones(len(inside), bool)), *predicted_levels(told.age)]:
            found.setdefault(name, []).append(float(inside[mask].mean()))
    return {
        name: {"mean": round(float(np.mean(shares)), 4), "low": round(min(shares), 4), "high": round(max(shares), 4)}
        for name, shares in found.items()
    } | {"halves": halves}


def run(context: Context) -> dict:
    """The section ``stability`` of ``metrics.json``."""
    parts, rows, changed = [], [], dict[str, list[Faces]]()
    start = 0
    for split in ("validation", "test"):
        chips, limit = context.chips(split), context.limit_changed
        is_test = split == "test"
        some = changed_rows(len(chips), limit) if is_test else spread_rows(len(chips), limit or CHANGED_CHIPS)
        parts.append(Faces.of(context.outputs.chips(split, chips.images), Labels.of(chips)))
        rows.append(start + some)
        start += len(chips)
        copied = chips.take(some)
        for name, change in load_rows().items():
            raw = context.outputs.chips(f"{split}, {name}", copied.images, change)
            changed.setdefault(name, []).append(Faces.of(raw, Labels.of(copied)))
    copies = {name: Faces.join(of) for name, of in changed.items()}
    return tell_halves(Faces.join(parts), copies, np.concatenate(rows))
