"""What is said about one face, and the rules that turn the network's numbers into it."""

import dataclasses

import numpy as np
import PIL.Image

from .calibration import calibrate_faces
from .faces.face import Face
from .faces.quality import warnings_of
from .pictures.alignment import Square
from .portable import Portable
from .settings import Decision, Settings


@dataclasses.dataclass(frozen=True)
class RawPrediction(Portable):
    """One face as the network and the detector say it: nothing is calibrated, no warning is given, nothing is decided.

    ``age`` in years; ``female_probability`` 0 to 1, the network's own; ``age_distribution`` (117,) probabilities of the
    ages 0 to 116, None where the model has none; ``features`` (D,) float32, the pooled features of both heads
    (:func:`hf_model.network.familiarity.pooled_features`), None where the network gives no feature maps; ``quality``:
    the measures of the picture, as in :class:`Prediction`; ``face``: box and landmarks, None for a chip; ``photo``:
    width and height in pixels.
    """

    age: float
    female_probability: float
    age_distribution: np.ndarray | None = dataclasses.field(compare=False, repr=False)
    features: np.ndarray | None = dataclasses.field(compare=False, repr=False)
    quality: dict[str, float | None]
    face: Face | None
    photo: tuple[int, int]

    @property
    def box(self) -> dict[str, int] | None:
        """The detector's box in whole pixels of the upright image, None for a chip."""
        return self.face.clipped(*self.photo) if self.face else None


@dataclasses.dataclass(frozen=True)
class Prediction(Portable):
    """One face.

    ``age`` in years, never negative; ``age_interval`` the 80 % prediction interval: it holds the labelled age of 80 %
    of the faces with about this predicted age, see :mod:`hf_model.calibration`; None where the model was not
    calibrated; ``gender`` ``"male"``, ``"female"`` or ``"uncertain"``, as perceived by UTKFace's annotators;
    ``female_probability`` 0 to 1; ``box`` the detector's box in whole pixels of the upright image, None for
    ``faces="none"``; ``detection_score`` 0 to 1, None likewise; ``rotation``: by how many degrees, 0, 90, 180 or 270,
    the photo had to be turned counter-clockwise for the face to be found (the box is in pixels of the photo as it was
    given); ``quality``: what the picture is worth, see :func:`hf_model.faces.quality.measure_quality`; ``warnings``:
    sentences, each earned by a measured rise of the error; ``age_distribution`` 117 probabilities, of the ages 0 to
    116, None where the model has none (it takes no part in comparing or printing).
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
    shown, a square RGB picture of its input size; ``found``: how many faces the photo has; ``explanations``: by target
    that was asked for, one a prediction.
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


def decide_gender(female_probability: float, decision: Decision) -> str:
    """``"male"`` below the first threshold, ``"female"`` above the second, else ``"uncertain"``.

    A probability equal to a threshold is uncertain.
    """
    if female_probability < decision.male_below:
        return "male"
    if female_probability > decision.female_above:
        return "female"
    return "uncertain"


def calibrate(raw: list[RawPrediction], settings: Settings) -> list[Prediction]:
    """The answers for N faces: calibrated probabilities, intervals, warnings and the decision.

    Args:
        raw: what the network said.
        settings: of the model; without a calibration probabilities stay as they are, and there are no intervals;
            without limits of quality there are no warnings.
    """
    if not raw:
        return []
    distributions = None if raw[0].age_distribution is None else np.stack([one.age_distribution for one in raw])  # type: ignore[misc]
    female, ages = (np.array([getattr(one, name) for one in raw]) for name in ("female_probability", "age"))
    qualities = [one.quality for one in raw]
    probabilities, intervals = calibrate_faces(female, ages, distributions, qualities, settings.calibration)
    return [
        Prediction(
            age=one.age,
            age_interval=interval,
            gender=decide_gender(probability, settings.decision),
            female_probability=probability,
            box=one.box,
            detection_score=one.face.score if one.face else None,
            rotation=one.face.rotation if one.face else 0,
            quality=one.quality,
            warnings=warnings_of(one.quality, settings.quality),
            age_distribution=one.age_distribution,
        )
        for one, probability, interval in zip(raw, probabilities, intervals, strict=True)
    ]
