"""What an answer is worth, by what is shown: errors and intervals by *predicted* age, and which warnings are earned."""

import itertools
from collections.abc import Sequence

import numpy as np

from hf_model.calibration import OLDEST
from hf_model.faces.quality import MEASURES, warnings_of
from hf_model.settings import Decision, QualityLimit
from train.measure.raw.answers import Answers
from train.measure.raw.columns import with_intervals
from train.measure.raw.groups import AGE_BINS
from train.measure.raw.raw import Raw

LEAST = 30  # faces of a level
FAILED_FACTOR = 1.5  # times the error of the face as it is, and
FAILED_YEARS = 5.0  # at least so many years off
TOLD_QUANTILES = np.linspace(0.01, 0.99, 50)


def predicted_levels(age: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Bins of predicted age as (name, mask), those with at least ``LEAST`` faces; the oldest together."""
    edges = [*AGE_BINS[:-2], OLDEST + 1]
    levels = [(f"{low}-{round(high) - 1}", (age >= low) & (age < high)) for low, high in itertools.pairwise(edges)]
    return [(name, mask) for name, mask in levels if mask.sum() >= LEAST]


def by_predicted_age(answers: Answers, decision: Decision) -> dict[str, dict]:
    """All figures of the faces with a predicted age in each bin."""
    return {
        name: with_intervals(answers.take(np.flatnonzero(mask)), decision)
        for name, mask in predicted_levels(answers.age)
    }


def errors_by_predicted_age(answers: Answers) -> dict[str, list[float]]:
    """Of the faces with a predicted age in each bin fifty quantiles, evenly spread, of label − answer, in years."""
    signed = answers.labels.low - answers.age
    return {
        name: np.quantile(signed[mask], TOLD_QUANTILES).round(1).tolist()
        for name, mask in predicted_levels(answers.age)
    }


def warned(raw: Raw, limits: Sequence[QualityLimit]) -> np.ndarray:
    """(N,) how many warnings each face gets."""
    rows = (
        {name: None if np.isnan(value) else float(value) for name, value in zip(MEASURES, row, strict=True)}
        for row in raw.quality
    )
    return np.array([len(warnings_of(row, limits)) for row in rows])


def hits_and_false_alarms(
    changed: dict[str, tuple[Raw, Answers]], clean: tuple[Raw, Answers], limits: Sequence[QualityLimit]
) -> dict:
    """The section ``warned`` of ``metrics.json``: hits and false alarms.

    Args:
        changed: by the row's name, raw and calibrated answers for the clean ones' chips.
        clean: of the chips as they are.
        limits: of the model's settings.

    Returns:
        ``clean``: the share of faces as they are that is warned of, in all and by each measure; ``rows``: for each
        change of how many faces it ``failed`` the age (``FAILED_FACTOR`` times the error, and ``FAILED_YEARS``), the
        share of those that is warned of (``hit``), and of the others (``others``).
    """
    raw, answers = clean
    before = np.abs(answers.age - answers.labels.low)
    section: dict = {"clean": {"all": _share(warned(raw, limits) > 0)}, "rows": {}}
    for measure in dict.fromkeys(limit.measure for limit in limits):
        some = [limit for limit in limits if limit.measure == measure]
        section["clean"][measure] = _share(warned(raw, some) > 0)
    every: list[np.ndarray] = []
    for name, (raw_of_row, answers_of_row) in changed.items():
        error = np.abs(answers_of_row.age - answers_of_row.labels.low)
        failed = (error >= FAILED_FACTOR * before) & (error >= FAILED_YEARS)
        is_warned = warned(raw_of_row, limits) > 0
        section["rows"][name] = {
            "failed": int(failed.sum()),
            "hit": _share(is_warned[failed]),
            "others": _share(is_warned[~failed]),
        }
        every.append(is_warned[failed])
    section["hit"] = _share(np.concatenate(every)) if every else None
    return section


def _share(mask: np.ndarray) -> float | None:
    return round(float(mask.mean()), 4) if len(mask) else None
