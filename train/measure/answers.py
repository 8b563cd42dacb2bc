"""A model's answers beside the labels, and the figures with intervals that follow from them."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hf_model.calibration import calibrated_probabilities, prediction_intervals
from hf_model.settings import Decision, Settings
from train.data import Chips
from train.measure.outputs import Raw

RESAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Answers:
    """Predictions beside labels, row by row.

    ``chips``: the faces; ``age`` (N,) in years; ``female`` (N,) probabilities; ``low`` and ``high`` (N,): the ends
    of the 80 % range in years, NaN where there is none.
    """

    chips: Chips
    age: np.ndarray
    female: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, rows: np.ndarray) -> "Answers":
        """The given rows."""
        return Answers(self.chips.take(rows), self.age[rows], self.female[rows], self.low[rows], self.high[rows])

    def figures(self, decision: Decision) -> dict[str, float]:
        """All metrics of these rows."""
        # Here, where they are used: the library of metrics takes a second to load.
        from train.measure.metrics.age_error.age_error import age_error
        from train.measure.metrics.gender_report.gender_report import gender_report

        figures = {f"age_{name}": value for name, value in age_error(self.age, self.chips.age).items()}
        report = gender_report(self.female, self.chips.gender, decision.male_below, decision.female_above)
        figures |= {f"gender_{name}": value for name, value in report.items()}
        if not np.isnan(self.low).any():
            figures["age_interval_coverage"] = float(self.covered.mean())
        return figures

    @property
    def covered(self) -> np.ndarray:
        """(N,) whether the label is in the range."""
        return (self.low <= self.chips.age) & (self.chips.age <= self.high)


def ranges_and_probabilities(raw: Raw, settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``low``, ``high`` and ``female`` (N,) as the predictor gives them, from raw answers."""
    low, high = np.full((2, len(raw.age)), np.nan)
    female, calibration = raw.female.copy(), settings.calibration
    rows = np.flatnonzero(~np.isnan(raw.age))
    if calibration and len(rows):
        some = raw.take(rows)
        female[rows] = calibrated_probabilities(some.female, some.age, some.measures, calibration)
        if not np.isnan(some.distribution).any():
            low[rows], high[rows] = np.round(
                prediction_intervals(some.age, some.distribution.astype(float), some.measures, calibration), 1
            )
    return low, high, female


def answers_of(raw: Raw, chips: Chips, settings: Settings) -> Answers:
    """What the predictor answers for the chips of raw answers."""
    low, high, female = ranges_and_probabilities(raw, settings)
    return Answers(chips, raw.age, female, low, high)


def bootstrap(figures: Callable[[np.ndarray], dict[str, float]], n: int, seed: int = 0) -> dict[str, dict]:
    """``{metric: {"value", "low", "high", "n"}}``: 95 % percentile intervals over resampled rows.

    Args:
        figures: from row numbers to figures; one that is NaN for all rows is left out.
        n: how many rows there are.
    """
    random = np.random.default_rng(seed)
    samples = [figures(random.integers(0, n, n)) for _ in range(RESAMPLES)]
    result = {}
    for name, value in figures(np.arange(n)).items():
        drawn = np.array([sample.get(name, np.nan) for sample in samples])
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(drawn):
            continue
        low, high = np.percentile(drawn, [2.5, 97.5])
        result[name] = {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4), "n": n}
    return result


def with_intervals(answers: Answers, decision: Decision) -> dict[str, dict]:
    """The figures of all rows with their bootstrap intervals; undefined metrics are left out."""
    n = len(answers.age)
    # The pictures take no part in a resample; without them it copies a few numbers a face.
    light = dataclasses.replace(answers, chips=dataclasses.replace(answers.chips, images=np.zeros((n, 0))))
    return bootstrap(lambda rows: light.take(rows).figures(decision), n)
