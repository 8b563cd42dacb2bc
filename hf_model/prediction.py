"""What is said about one face, and the rules that turn the network's numbers into it."""

import dataclasses
import math

import numpy as np
import PIL.Image

from .faces.face import Face
from .faces.quality import warnings_of
from .pictures.alignment import Square
from .portable import Portable


@dataclasses.dataclass(frozen=True)
class Prediction(Portable):
    """One face.

    ``age`` in years, never negative; ``age_interval`` the range that holds the labelled age for 80 %
    of faces, whatever that age is, None where the model was not calibrated; ``gender`` ``"male"``,
    ``"female"`` or ``"uncertain"``, as perceived by UTKFace's annotators; ``female_probability`` 0
    to 1; ``box`` the detector's box in whole pixels of the upright image, None for ``faces="none"``;
    ``detection_score`` 0 to 1, None likewise; ``rotation``: by how many degrees, 0, 90, 180 or 270, the photo had
    to be turned counter-clockwise for the face to be found (the box is in pixels of the photo as it was given);
    ``quality``: what the picture is worth, see :func:`hf_model.faces.quality.measure_quality`; ``warnings``: sentences, each
    earned by a measured rise of the error; ``age_distribution`` 117 probabilities, of the ages 0 to 116, None where
    the model has none (it takes no part in comparing or printing).
    """

    age: float
    age_interval: tuple[float, float] | None
    gender: str
    female_probability: float
    box: dict[str, int] | None
    detection_score: float | None
    rotation: int = 0
    quality: dict[str, float | None] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    age_distribution: np.ndarray | None = dataclasses.field(default=None, compare=False, repr=False)

    def to_dict(self, distribution: bool = False) -> dict:
        """A JSON-ready dict with the same keys; ``age_distribution``, a list, only where it is asked for."""
        values = dataclasses.asdict(self)
        if self.age_interval is not None:
            values["age_interval"] = list(self.age_interval)
        values["warnings"] = list(self.warnings)
        probabilities = values.pop("age_distribution")
        if distribution:
            values["age_distribution"] = None if probabilities is None else [round(float(p), 6) for p in probabilities]
        return values


@dataclasses.dataclass(frozen=True)
class Analysis(Portable):
    """One photo's answer with what it rests on.

    ``predictions``: one a face, in the order asked for; ``crops``: for each of them what the network was
    shown, a square RGB picture of its input size; ``found``: how many faces the photo has; ``explanations``: by target that
    was asked for, one a prediction.
    """

    predictions: list[Prediction]
    crops: list[PIL.Image.Image]
    found: int
    explanations: dict[str, list["Explanation"]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Explanation(Portable):
    """One face's answer with the map of what it rests on.

    ``prediction``: the answer; ``crop``: what the network was shown, a square RGB picture; ``heatmap``: float32 of the
    crop's size, for gender 0 to 1, the evidence for the side that is called, for age -1 (younger) to 1 (older);
    ``square``: where the crop lies on the upright photo, None for a chip.
    """

    prediction: Prediction
    crop: PIL.Image.Image
    heatmap: np.ndarray
    square: Square | None = None


def logit(probability):
    """The log odds of a probability, or of an array of them, kept off 0 and 1."""
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.log(clipped / (1 - clipped))


def decide_gender(female_probability: float, male_below: float, female_above: float) -> str:
    """``"male"`` below the first threshold, ``"female"`` above the second, else ``"uncertain"``.

    A probability equal to a threshold is uncertain.
    """
    if female_probability < male_below:
        return "male"
    if female_probability > female_above:
        return "female"
    return "uncertain"


def calibrated(female_probability: float, calibration: dict | None) -> float:
    """The network's probability of "female" as measured: its logit divided by a temperature, and shifted.

    Args:
        female_probability: what the network says.
        calibration: ``temperature`` and ``shift``, as ``python -m train.measure.calibrate`` measured them, or None.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    if not calibration:
        return female_probability
    return 1 / (1 + math.exp(-(float(logit(female_probability)) / calibration["temperature"] + calibration["shift"])))


def sharpened(distribution: np.ndarray, power: np.ndarray | float) -> np.ndarray:
    """Probabilities (..., A) to a power, summing to 1 again: above 1 narrower, below 1 wider."""
    values = np.power(np.maximum(distribution, 1e-12), power)
    return values / values.sum(axis=-1, keepdims=True)


def places_in(distribution: np.ndarray, power: np.ndarray | float = 1.0) -> np.ndarray:
    """Where each age lies in a distribution: the probability of younger ages and half of its own.

    Args:
        distribution: (..., A) probabilities of whole years.
        power: of :func:`sharpened`, by which it is widened first; (..., 1), or one for all.
    """
    wide = sharpened(distribution, power)
    return np.cumsum(wide, axis=-1) - wide / 2


def power_of(sharpness: np.ndarray | float, calibration: dict) -> np.ndarray:
    """By which power the distributions of pictures of that sharpness are widened; NaN, not measured, counts as sharp.

    The network is as sure of a blurred face as of a sharp one (its entropy is the same), and errs more. From
    ``sharp_from`` of the calibration downwards the power falls from 1, by ``widening`` at a sharpness of 0.
    """
    blurred = np.clip(1 - np.nan_to_num(np.asarray(sharpness, float), nan=1.0) / calibration["sharp_from"], 0, 1)
    return np.maximum(1 - calibration["widening"] * blurred, 0.05)


def age_interval(
    age: float, distribution: np.ndarray | None, calibration: dict | None, sharpness: float | None = None
) -> tuple[float, float] | None:
    """The calibrated range around a predicted age in years, or None without a calibration.

    From a distribution, widened where the picture is blurred (:func:`power_of`), it reaches from the first to the last
    age whose place in it (:func:`places_in`) is between what most faces of that age have: ``lowest`` and ``highest``
    (117 each). Version 0.1.0, without a distribution, has ``predicted_age`` (K rising ages), ``low`` and ``high`` (the
    ends at each), read linearly between.

    Args:
        age: predicted age.
        distribution: (117,) probabilities of the whole years, or None.
        calibration: as ``python -m train.measure.calibrate`` measured it.
        sharpness: of the picture, see :func:`hf_model.faces.quality.measure`; None where it was not measured.
    """
    if not calibration:
        return None
    if "predicted_age" in calibration:
        ends = [float(np.interp(age, calibration["predicted_age"], calibration[end])) for end in ("low", "high")]
    elif distribution is None:
        return None
    else:
        power = power_of(np.nan if sharpness is None else sharpness, calibration)
        places = places_in(np.asarray(distribution, float), power)[None]
        low, high = range_ends(
            places, np.array([age]), np.array(calibration["lowest"]), np.array(calibration["highest"])
        )
        return float(low[0]), float(high[0])
    return min(ends[0], age), max(ends[1], age)


def range_ends(
    places: np.ndarray, age: np.ndarray, lowest: np.ndarray, highest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``low`` and ``high`` (N,) years of the ranges of many faces: the first and last age whose place is in the belt.

    Args:
        places: (N, 117) of all ages, from :func:`places_in`.
        age: (N,) predicted ages, which a range always holds.
        lowest, highest: (117,) between which the places of a range's ages are.
    """
    inside = (places >= lowest) & (places <= highest)
    some = inside.any(axis=1)
    first, last = np.argmax(inside, axis=1), inside.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    return np.minimum(np.where(some, first, age), age), np.maximum(np.where(some, last, age), age)


def make_prediction(
    outputs: dict[str, np.ndarray],
    row: int,
    config: dict,
    face: Face | None,
    photo: tuple[int, int],
    quality: dict[str, float | None],
) -> Prediction:
    """The answer in one row of the network's outputs.

    Args:
        outputs: by name, see :data:`hf_model.network.engine.Forward`.
        row: which of them.
        config: the content of ``config.json``.
        face: as it was found in a photo of that width and height; None for a chip.
        quality: its picture's measures.
    """
    age, female = float(outputs["age"][row]), float(outputs["gender"][row])
    female_probability = calibrated(female, config.get("gender_calibration"))
    distribution = outputs["age_distribution"][row] if "age_distribution" in outputs else None
    return Prediction(
        age=age,
        age_interval=age_interval(age, distribution, config.get("age_interval"), quality.get("sharpness")),
        gender=decide_gender(female_probability, **config["decision"]),
        female_probability=female_probability,
        box=face.clipped(*photo) if face else None,
        detection_score=face.score if face else None,
        rotation=face.rotation if face else 0,
        quality=quality,
        warnings=warnings_of(quality, config.get("quality")),
        age_distribution=distribution,
    )
