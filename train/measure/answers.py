"""A model's answers beside the labels, and the figures with intervals that follow from them."""

import dataclasses
from collections.abc import Callable

import datasets
import numpy as np
import PIL.Image

from hf_model.predictor import AgeGenderPredictor
from train.data import Chips
from train.measure.metrics.age_error.age_error import age_error
from train.measure.metrics.gender_report.gender_report import gender_report

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

    def figures(self, decision: dict) -> dict[str, float]:
        """All metrics of these rows."""
        figures = {f"age_{name}": value for name, value in age_error(self.age, self.chips.age).items()}
        report = gender_report(self.female, self.chips.gender, **decision)
        figures |= {f"gender_{name}": value for name, value in report.items()}
        if not np.isnan(self.low).any():
            figures["age_interval_coverage"] = float(
                ((self.low <= self.chips.age) & (self.chips.age <= self.high)).mean()
            )
        return figures


def predict_chips(
    predictor: AgeGenderPredictor, chips: Chips, change: Callable | None = None, label: str = "Predicting"
) -> Answers:
    """The predictor's answers for face chips, each changed first where ``change`` is given."""
    age, female, low, high = (np.full(len(chips), np.nan) for _ in range(4))
    for start in datasets.utils.tqdm(range(0, len(chips), 32), desc=label, unit=" batches"):
        pictures = [
            chip if change is None else change(PIL.Image.fromarray(chip)) for chip in chips.images[start : start + 32]
        ]
        for offset, faces in enumerate(predictor(pictures, faces="none")):
            row = start + offset
            age[row], female[row] = faces[0].age, faces[0].female_probability
            if faces[0].age_interval:
                low[row], high[row] = faces[0].age_interval
    return Answers(chips, age, female, low, high)


def with_intervals(answers: Answers, decision: dict, seed: int = 0) -> dict[str, dict]:
    """``{metric: {"value", "low", "high", "n"}}`` with bootstrap intervals; undefined metrics are left out."""
    random = np.random.default_rng(seed)
    n = len(answers.age)
    # The pictures take no part in a resample; without them it copies a few numbers a face.
    light = dataclasses.replace(answers, chips=dataclasses.replace(answers.chips, images=np.zeros((n, 0))))
    samples = [light.take(random.integers(0, n, n)).figures(decision) for _ in range(RESAMPLES)]
    result = {}
    for name, value in light.figures(decision).items():
        drawn = np.array([sample[name] for sample in samples])
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(drawn):
            continue
        low, high = np.percentile(drawn, [2.5, 97.5])
        result[name] = {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4), "n": n}
    return result
