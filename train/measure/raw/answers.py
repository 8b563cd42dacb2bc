"""A model's calibrated answers beside the labels, face by face."""

import dataclasses

import numpy as np

from hf_model.calibration import calibrated_probabilities, prediction_intervals
from hf_model.settings import Settings
from train.measure.raw.labels import Labels
from train.measure.raw.raw import Raw


@dataclasses.dataclass(frozen=True)
class Answers:
    """``age`` (N,) in years, NaN where no face was found; ``female`` (N,) calibrated probabilities; ``low`` and
    ``high`` (N,): the ends of the 80 % prediction interval in years, NaN where there is none."""

    labels: Labels
    age: np.ndarray
    female: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def take(self, rows) -> "Answers":
        """The given rows."""
        return Answers(self.labels.take(rows), self.age[rows], self.female[rows], self.low[rows], self.high[rows])

    def __len__(self) -> int:
        return len(self.age)

    @property
    def found(self) -> np.ndarray:
        """(N,) whether there is an answer."""
        return ~np.isnan(self.age)


def answers_of(raw: Raw, labels: Labels, settings: Settings) -> Answers:
    """What the predictor answers, from raw answers."""
    low, high = np.full((2, len(raw.age)), np.nan)
    female, calibration = raw.female.copy(), settings.calibration
    rows = np.flatnonzero(~np.isnan(raw.age))
    if calibration and len(rows):
        some = raw.take(rows)
        female[rows] = calibrated_probabilities(some.female, some.age, some.measures, calibration)
        if not np.isnan(some.distribution).any():
            ends = prediction_intervals(some.age, some.distribution.astype(float), some.measures, calibration)
            low[rows], high[rows] = np.round(ends, 1)
    return Answers(labels, raw.age, female, low, high)
