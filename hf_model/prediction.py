"""What is said about one face, and the rules that turn the network's numbers into it."""

import dataclasses

import numpy as np
import PIL.Image


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One face.

    ``age`` in years, never negative; ``age_interval`` the range that holds the labelled age for 80 %
    of faces, whatever that age is, None where the model was not calibrated; ``gender`` ``"male"``,
    ``"female"`` or ``"uncertain"``, as perceived by UTKFace's annotators; ``female_probability`` 0
    to 1; ``box`` the detector's box in whole pixels of the upright image, None for ``faces="none"``;
    ``detection_score`` 0 to 1, None likewise.
    """

    age: float
    age_interval: tuple[float, float] | None
    gender: str
    female_probability: float
    box: dict[str, int] | None
    detection_score: float | None

    def to_dict(self) -> dict:
        """A JSON-ready dict with the same keys."""
        values = dataclasses.asdict(self)
        if self.age_interval is not None:
            values["age_interval"] = list(self.age_interval)
        return values


@dataclasses.dataclass(frozen=True)
class Analysis:
    """One photo's answer with what it rests on.

    ``predictions``: one a face, in the order asked for; ``crops``: for each of them what the network was
    shown, a square RGB picture of its input size; ``found``: how many faces the photo has.
    """

    predictions: list[Prediction]
    crops: list[PIL.Image.Image]
    found: int


def decide_gender(female_probability: float, male_below: float, female_above: float) -> str:
    """``"male"`` below the first threshold, ``"female"`` above the second, else ``"uncertain"``.

    A probability equal to a threshold is uncertain.
    """
    if female_probability < male_below:
        return "male"
    if female_probability > female_above:
        return "female"
    return "uncertain"


def age_interval(age: float, calibration: dict | None) -> tuple[float, float] | None:
    """The calibrated range around a predicted age in years, or None without a calibration.

    Args:
        age: predicted age.
        calibration: ``predicted_age`` (K rising ages), ``low`` and ``high`` (the ends of the range at
            each, in years), as ``python -m train.measure.calibrate_age`` measured them; read linearly between.
    """
    if not calibration:
        return None
    low, high = (float(np.interp(age, calibration["predicted_age"], calibration[end])) for end in ("low", "high"))
    return min(low, age), max(high, age)
