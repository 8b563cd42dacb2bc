"""What is said about one face, and the rules that turn the network's numbers into it."""

import dataclasses

import numpy as np
import PIL.Image

from .doubt import trust
from .faces.face import Face
from .faces.quality import warnings_of
from .pictures.alignment import Square
from .portable import Portable


@dataclasses.dataclass(frozen=True)
class Prediction(Portable):
    """One face.

    ``age`` in years, never negative; ``age_interval`` the range that holds the labelled age of 80 %
    of the faces that are answered so, see :mod:`hf_model.doubt`, None where the model was not calibrated; ``gender`` ``"male"``,
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


def decide_gender(female_probability: float, male_below: float, female_above: float) -> str:
    """``"male"`` below the first threshold, ``"female"`` above the second, else ``"uncertain"``.

    A probability equal to a threshold is uncertain.
    """
    if female_probability < male_below:
        return "male"
    if female_probability > female_above:
        return "female"
    return "uncertain"


def make_predictions(
    outputs: dict[str, np.ndarray],
    config: dict,
    faces: list[Face | None],
    photos: list[tuple[int, int]],
    qualities: list[dict[str, float | None]],
) -> list[Prediction]:
    """The answers in the network's outputs for N faces.

    Args:
        outputs: by name, of N rows, see :data:`hf_model.network.engine.Forward`.
        config: the content of ``config.json``.
        faces: as they were found, each in a photo of a width and height in ``photos``; None for a chip.
        qualities: the measures of their pictures.
    """
    ages, distributions = outputs["age"].tolist(), outputs.get("age_distribution")
    probabilities, intervals = trust(outputs["gender"], outputs["age"], distributions, qualities, config.get("doubt"))
    rows = zip(ages, probabilities, intervals, faces, photos, qualities, strict=True)
    return [
        Prediction(
            age=age,
            age_interval=interval,
            gender=decide_gender(female, **config["decision"]),
            female_probability=female,
            box=face.clipped(*photo) if face else None,
            detection_score=face.score if face else None,
            rotation=face.rotation if face else 0,
            quality=quality,
            warnings=warnings_of(quality, config.get("quality")),
            age_distribution=None if distributions is None else distributions[row],
        )
        for row, (age, female, interval, face, photo, quality) in enumerate(rows)
    ]
