"""Chips pasted on larger pictures and found by the detector, beside the same chips given as such; upright and
tilted."""

import numpy as np

from train.measure.context import Context
from train.measure.raw.answers import answers_of
from train.measure.raw.columns import with_intervals
from train.measure.raw.groups import factors
from train.measure.raw.labels import Labels
from train.measure.raw.scenes import make_scene

MOST_TILT = 30.0  # degrees


def run(context: Context) -> dict:
    """The section ``end_to_end`` of ``metrics.json``."""
    return measure(context) | {"tilted": measure(context, MOST_TILT)}


def measure(context: Context, most_tilt: float = 0.0) -> dict:
    """One way of pasting.

    Args:
        most_tilt: the pictures are turned by up to so many degrees.

    Returns:
        ``overall`` and ``chips``, both over the found faces; ``agreement`` of the two; ``missed``: the detector's
        misses, also by group.
    """
    chips, settings = context.chips(context.split), context.settings
    random = np.random.default_rng(0)
    scenes = (make_scene(image, random, most_tilt=most_tilt).image for image in chips.images)
    part = f"{context.split}, in scenes" + (f" tilted by up to {most_tilt:g}°" if most_tilt else "")
    raw = context.outputs.photos(part, scenes, len(chips), chips.images[:, ::20, ::20])
    labels = context.answers.labels
    everyone = answers_of(raw, labels, settings)
    rows = np.flatnonzero(everyone.found)
    answers, same = everyone.take(rows), context.answers.take(rows)
    return {
        "overall": with_intervals(answers, settings.decision),
        "chips": with_intervals(same, settings.decision),
        "agreement": {
            "mean_age_difference": round(float(np.abs(answers.age - same.age).mean()), 4),
            "same_side_of_half": round(float(((answers.female >= 0.5) == (same.female >= 0.5)).mean()), 4),
        },
        "missed": misses(everyone.found, labels),
    }


def misses(found: np.ndarray, labels: Labels) -> dict[str, dict]:
    """The share of faces that the detector missed, overall and by group, from (N,) whether each was found."""
    missed: dict[str, dict] = {"overall": {"value": round(float((~found).mean()), 4), "n": len(labels)}}
    for factor, levels in factors(labels):
        if factor != "range":
            missed[factor] = {
                name: {"value": round(float((~found[mask]).mean()), 4), "n": int(mask.sum())}
                for name, mask in levels
                if mask.any()
            }
    return missed
