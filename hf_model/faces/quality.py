"""Measures of a face's picture, and warnings where a measure was seen to cost accuracy."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import PIL.Image

from ..pictures.alignment import Square
from ..settings import RENAMED_MEASURES, QualityLimit
from .face import Face, roll, yaw

MEASURES = (
    "face_size",
    "sharpness",
    "roll",
    "yaw",
    "brightness",
    "contrast",
    "outside",
    "faces",
    "verification_score",
    "cast",
    "evenness",
    "covered",
    "cut_out",
    "familiarity",
)
# Measures that were renamed are given under their earlier name, too, until 0.5.0.
QUALITY_KEYS = (*MEASURES, *RENAMED_MEASURES)
SEEN_AT = 112  # pixels, the side at which sharpness is measured: finer detail says more of the camera than of the face
# The face's middle in its square: left, top, right and bottom as fractions of the side; without hair and background.
MIDDLE = (0.27, 0.25, 0.73, 0.85)
# An ellipse about the face with its hair: the middle and half axes as fractions of the side; what surrounds the face
# lies outside.
AROUND = (0.5, 0.55, 0.36, 0.5)
# A block of so many pixels has no texture whose brightness spans so small a part of the crop's standard deviation:
# skin, hair and cloth span more, also through a camera's compression; paint, lenses, a cut-out's background span less.
BLOCK, TEXTURE = 4, 0.05
# Where skin in daylight lies: logarithms of red by green and of blue by green, medians over 1,500 of UTKFace's chips.
DAYLIGHT_SKIN = (0.31, -0.16)
# What a warning says is the matter.
BEGINNINGS = {
    "face_size": "The face is only {value:.0f} pixels wide",
    "sharpness": "The face is blurred",
    "roll": "The head is tilted by {value:.0f}°",
    "yaw": "The face is turned away by about {value:.0f}°",
    "brightness": "The face is {adjective}",
    "contrast": "The face has little contrast",
    "outside": "{value:.0%} of the square around the face is outside the photo",
    "cast": "The light is strongly coloured",
    "covered": "About {value:.0%} of the face seems to be covered",
    "cut_out": "The face seems to be cut out of its background",
    "familiarity": "The face looks unlike the training faces (only {value:.1%} of usual faces look less like them)",
    "verification_score": "This may not be a face (verification score {value:.0%})",
}
# And what that cost in tests: years, years and genders; or, of what may not be a face, how often such a score occurs.
SENTENCES = {
    "age": "{start}. In tests, ages of such faces were off by {age_mae:.1f} years instead of {age_mae_usual:.1f}.",
    "both": "{start}. In tests, ages of such faces were off by {age_mae:.1f} years instead of {age_mae_usual:.1f}, and "
    "{gender_accuracy:.0%} of genders were right instead of {gender_accuracy_usual:.0%}.",
    "verification_score": (
        "{start}. In tests, {real:.0%} of real small or rotated faces scored below {threshold:.0%}, and "
        "{none:.0%} of non-faces."
    ),
}
TOLD_FROM = 0.01  # of all genders: a smaller loss is left out of the sentence
UNSIGNED = ("roll", "yaw")


def measure_quality(
    pixels: np.ndarray,
    face: Face | None,
    square: Square | None,
    photo: tuple[int, int],
    faces: int | None,
    familiarity: float | None = None,
) -> dict[str, float | None]:
    """The measures of one face, always the same keys.

    ``face_size``: side in pixels of the square that frames the face (of a chip: its shorter side);
    ``sharpness``: the standard deviation of the Laplacian as a share of that of the brightness, at 112 pixels;
    ``roll``: degrees clockwise from upright, -180 to 180; ``yaw``: about how far it is turned to the picture's right,
    degrees; ``brightness`` and ``contrast``: mean and standard deviation of the brightness of the face's middle, 0 to
    1; ``outside``: share of the square beyond the photo; ``faces``: how many the photo has; ``verification_score``: how
    sure the detector's last network is that it is a face, 0 to 1; ``cast``: how far the colour of the face's middle is
    from skin in daylight, as a distance of two logarithms; ``evenness``: the darker half of the middle by the brighter
    one, left and right, 0 to 1; ``covered`` and ``cut_out``: the shares of the face's middle, and of what surrounds the
    face, that have no texture, as under paint or a plain mask, behind dark lenses, before a plain background, where the
    light is too bright; ``familiarity``: the share of validation faces that are less like the training's. None: not
    known, as the place of a chip. ``level`` is the verification score once more, under its name of versions up to
    0.3.0.

    Args:
        pixels: (S, S, 3) uint8, what the network is shown.
        face, square: where it was found and cut out; None for a chip.
        photo: width and height of the picture given.
        faces: how many faces were found, None for a chip.
        familiarity: as the network's features say it, see :mod:`hf_model.network.familiarity`.
    """
    grey = np.asarray(PIL.Image.fromarray(pixels).convert("L").resize((SEEN_AT,) * 2, PIL.Image.Resampling.BILINEAR))
    light = grey.astype(np.float32) / 255
    laplacian = 4 * light[1:-1, 1:-1] - light[:-2, 1:-1] - light[2:, 1:-1] - light[1:-1, :-2] - light[1:-1, 2:]
    left, top, right, bottom = (round(edge * SEEN_AT) for edge in MIDDLE)
    middle = light[top:bottom, left:right]
    halves = [float(half.mean()) for half in np.array_split(middle, 2, axis=1)]
    values: dict[str, float | None] = dict.fromkeys(MEASURES)
    values |= {
        "face_size": float(min(photo)),
        "sharpness": float(laplacian.std()) / max(float(light.std()), 1 / 255),
        "brightness": float(middle.mean()),
        "contrast": float(middle.std()),
        "cast": _cast(pixels),
        "evenness": (min(halves) + 0.02) / (max(halves) + 0.02),
        "familiarity": familiarity,
    }
    values |= dict(zip(("covered", "cut_out"), _without_texture(light), strict=True))
    if face is not None and square is not None:
        values |= {"face_size": square.side, "roll": roll(face), "yaw": yaw(face), "outside": square.outside(*photo)}
        values["verification_score"] = face.verification_score
        values["faces"] = None if faces is None else float(faces)
    rounded = {name: None if value is None else round(value, 4) for name, value in values.items()}
    return rounded | {old: rounded[name] for old, name in RENAMED_MEASURES.items()}


def _without_texture(light: np.ndarray) -> tuple[float, float]:
    """The shares of the face's middle and of its surroundings whose blocks have no texture, of the crop's (S, S)
    brightness."""
    count = len(light) // BLOCK
    blocks = light.reshape(count, BLOCK, count, BLOCK)
    plain = blocks.max((1, 3)) - blocks.min((1, 3)) <= TEXTURE * max(float(light.std()), 1 / 255)
    left, top, right, bottom = (round(edge * count) for edge in MIDDLE)
    x, y, half_width, half_height = AROUND
    at = (np.arange(count) + 0.5) / count
    surroundings = ((at - x) / half_width) ** 2 + ((at[:, None] - y) / half_height) ** 2 > 1
    return float(plain[top:bottom, left:right].mean()), float(plain[surroundings].mean())


def _cast(pixels: np.ndarray) -> float:
    """How far the mean colour of the middle is from skin in daylight."""
    side = len(pixels)
    left, top, right, bottom = (round(edge * side) for edge in MIDDLE)
    red, green, blue = (pixels[top:bottom:4, left:right:4].reshape(-1, 3).mean(axis=0) + 1).tolist()
    return math.hypot(math.log(red / green) - DAYLIGHT_SKIN[0], math.log(blue / green) - DAYLIGHT_SKIN[1])


def warnings_of(quality: dict[str, float | None], limits: Sequence[QualityLimit]) -> tuple[str, ...]:
    """A sentence for each limit that a face's picture is beyond.

    Args:
        quality: from :func:`measure_quality`.
        limits: as ``python -m train.measure quality`` measured them.
    """
    sentences = []
    for limit in limits:
        value = quality[limit.measure]
        if value is None:
            continue
        value = abs(value) if limit.measure in UNSIGNED else value
        if value < limit.threshold if limit.beyond == "below" else value > limit.threshold:
            sentences.append(_sentence(limit, value))
    return tuple(sentences)


def _sentence(limit: QualityLimit, value: float) -> str:
    adjective = "too dark" if limit.beyond == "below" else "overexposed"
    start = BEGINNINGS[limit.measure].format(value=value, adjective=adjective)
    kind = "age"
    if limit.measure == "verification_score":
        kind = "verification_score"
    elif limit.gender_accuracy is not None and limit.gender_accuracy_usual is not None:
        kind = "both" if limit.gender_accuracy <= limit.gender_accuracy_usual - TOLD_FROM else "age"
    return SENTENCES[kind].format(start=start, **dataclasses.asdict(limit))
