"""Raw answers for many pictures, as arrays."""

import dataclasses

import numpy as np

from dataset_script.utkface import MAX_AGE
from hf_model.faces.quality import MEASURES
from hf_model.prediction import RawPrediction


@dataclasses.dataclass(frozen=True)
class Raw:
    """The first face of each of N pictures, uncalibrated; NaN where none was found.

    ``age`` (N,) years; ``female`` (N,) probabilities; ``distribution`` (N, 117), NaN where the model has none;
    ``faces`` (N,): how many faces a photo has; ``central`` (N,): 1 where the first of them is the most central one,
    else 0; ``quality`` (N, 14): the measures of :data:`hf_model.faces.quality.MEASURES`, NaN where there is none.
    """

    age: np.ndarray
    female: np.ndarray
    distribution: np.ndarray
    faces: np.ndarray
    central: np.ndarray
    quality: np.ndarray

    @classmethod
    def empty(cls, count: int) -> "Raw":
        """Of so many pictures, nothing known yet."""
        columns = {name: np.full(count, np.nan) for name in ("age", "female", "faces", "central")}
        distribution = np.full((count, MAX_AGE + 1), np.nan, np.float32)
        return cls(**columns, distribution=distribution, quality=np.full((count, len(MEASURES)), np.nan, np.float32))

    def record(self, row: int, found: list[RawPrediction], is_central: bool) -> None:
        """Puts the answer for one picture into a row."""
        self.faces[row] = len(found)
        if not found:
            return
        best = found[0]
        self.quality[row] = [np.nan if best.quality[name] is None else best.quality[name] for name in MEASURES]
        self.age[row], self.female[row] = best.age, best.female_probability
        if best.age_distribution is not None:
            self.distribution[row] = best.age_distribution
        if best.box:
            self.central[row] = is_central

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """(N,) of each measure of the pictures, NaN where it is not known."""
        return {name: self.quality[:, place].astype(float) for place, name in enumerate(MEASURES)}

    def take(self, rows) -> "Raw":
        """The given rows."""
        return Raw(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})
