"""What changes of the picture do to the answers, and which warnings they earn."""

import numpy as np

from hf_model.settings import Decision
from train.measure.context import Context
from train.measure.raw.answers import Answers
from train.measure.raw.bootstrap import bootstrap
from train.measure.raw.columns import columns_of, with_intervals
from train.measure.raw.groups import ADULT_LOOKS
from train.measure.report.trust import hits_and_false_alarms


def run(context: Context) -> dict:
    """The sections ``robustness``, and where there are limits of quality ``warned``, of ``metrics.json``."""
    settings, (first, *rest) = context.settings, context.changed()
    _, raw, unchanged = first
    rows = {name: compare_with_unchanged(answers, unchanged, settings.decision) for name, _, answers in (first, *rest)}
    if not settings.quality:
        return {"robustness": rows}
    changed = {name: (raw_of_row, answers) for name, raw_of_row, answers in rest}
    return {"robustness": rows, "warned": hits_and_false_alarms(changed, (raw, unchanged), settings.quality)}


def compare_with_unchanged(changed: Answers, unchanged: Answers, decision: Decision) -> dict[str, dict]:
    """The figures of changed chips, and how far the answers moved from those for the same chips unchanged."""
    moved = np.abs(changed.age - unchanged.age)
    same = (changed.female >= 0.5) == (unchanged.female >= 0.5)
    right, labels = columns_of(changed, decision)["gender"].values, changed.labels
    older = labels.low >= ADULT_LOOKS
    groups = {"women_13plus": older & labels.female, "men_13plus": older & ~labels.female}

    def figures(rows: np.ndarray) -> dict[str, float]:
        shares = {name: right[rows[mask[rows]]] for name, mask in groups.items()}
        return {
            "age_change": float(moved[rows].mean()),
            "same_side_of_half": float(same[rows].mean()),
        } | {name: float(share.mean()) if len(share) else float("nan") for name, share in shares.items()}

    result = bootstrap(figures, len(moved))
    for name, mask in groups.items():
        if name in result:
            result[name]["n"] = int(mask.sum())
    return with_intervals(changed, decision) | result
