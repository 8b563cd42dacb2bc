"""Whether the detector's false positives are warned of, by their verification score and their familiarity."""

import numpy as np

from hf_model.settings import as_json
from train.measure.context import Context
from train.measure.raw.candidates import PICTURES, Candidates, faceless, low_confidence, real_scenes


def run(context: Context) -> dict | None:
    """The section ``quality`` of ``metrics.json``: the ``limits``, and on things that are ``false_positives`` and small
    and turned faces the shares that are warned of; None where the model has no limits."""
    if not context.settings.quality:
        return None
    thresholds = {limit.measure: limit.threshold for limit in context.settings.quality}
    chips, predictor = context.chips(context.split), context.outputs.predictor
    count = min(PICTURES, len(chips))
    none = low_confidence(predictor, faceless(chips, count), False)
    real = low_confidence(predictor, real_scenes(chips, count), True)
    shares = figures(none, real, thresholds.get("verification_score", 0.0), thresholds.get("familiarity", 0.0))
    return {"limits": as_json(context.settings.quality), "false_positives": shares}


def figures(none: Candidates, real: Candidates, least: float, familiarity: float) -> dict:
    """The section ``false_positives`` of ``metrics.json``: shares that are warned of, by either measure."""

    def warned(some: Candidates) -> np.ndarray:
        return (some.verification_score < least) | (some.familiarity < familiarity)

    return {
        "found_at_lowered_thresholds": len(none.verification_score),
        "given_as_shipped": int(none.given.sum()),
        "given_and_warned": round(float(warned(none)[none.given].mean()), 4) if none.given.any() else None,
        "warned": round(float(warned(none).mean()), 4) if len(none.verification_score) else None,
        "real_small_and_turned": len(real.verification_score),
        "real_warned": round(float(warned(real).mean()), 4),
        "real_below_score": round(float((real.verification_score < least).mean()), 4),
    }
