"""The faces that may be shown, with self-reported ages and genders; and how small a face may be."""

import numpy as np
import PIL.Image

from hf_model.faces.face import Face
from train.measure.context import Context
from train.measure.raw.answers import answers_of
from train.measure.raw.bootstrap import means_with_intervals
from train.measure.raw.labels import Labels
from train.measure.raw.open_faces import OpenFaces, figures

EYES = (80, 60, 40, 30, 20, 15, 10, 7)  # pixels between the eyes that photos are scaled down to


def run(context: Context) -> dict:
    """The section ``london`` of ``metrics.json``: figures, and ``by_eyes``, those of the photos scaled down."""
    faces = OpenFaces.load()
    names = np.array([path.name for path in faces.path])
    answers = _answers(context, faces, "london", faces.path, names)
    section = figures(faces, answers.age, answers.female, np.stack([answers.low, answers.high], axis=1))
    section["by_eyes"] = by_eyes(context, faces, names)
    return section


def _answers(context: Context, faces: OpenFaces, part: str, photos, about: np.ndarray):
    """The calibrated answers for all photos, or for changed copies of them."""
    raw = context.outputs.photos(part, photos, len(faces.path), about)
    ages = np.nan_to_num(faces.age, nan=-1.0)
    labels = Labels(about, ages, ages, faces.female.astype(int), faces.ethnicity)
    return answers_of(raw, labels, context.settings)


def by_eyes(context: Context, faces: OpenFaces, names: np.ndarray) -> dict[str, dict]:
    """By the distance between the eyes in pixels: the mean error of the age, genders that are right, and photos without
    a face that is found."""
    detector = context.outputs.predictor.detector
    distances = [_eyes(detector(PIL.Image.open(path).convert("RGB"))[0]) for path in faces.path]
    section = {}
    for wanted in EYES:
        answers = _answers(context, faces, f"london, eyes {wanted}", _scaled(faces, distances, wanted), names)
        known = ~np.isnan(answers.age) & ~np.isnan(faces.age)
        error, right = np.abs(answers.age - faces.age)[known], ((answers.female >= 0.5) == faces.female)[known]
        shown = {"missed": {"value": int(np.isnan(answers.age).sum()), "n": len(answers.age)}}
        if len(error):
            shown |= means_with_intervals({"age_mae": error, "gender": right})
        section[str(wanted)] = shown
    return section


def _eyes(face: Face) -> float:
    """Pixels between the eyes."""
    (left, right) = np.asarray(face.landmarks[:2])
    return float(np.hypot(*(right - left)))


def _scaled(faces: OpenFaces, distances: list[float], wanted: float):
    """The photos, each so small that its eyes are that many pixels apart; one that is smaller stays as it is."""
    for path, distance in zip(faces.path, distances, strict=True):
        photo, scale = PIL.Image.open(path).convert("RGB"), min(wanted / distance, 1.0)
        size = (max(round(photo.width * scale), 1), max(round(photo.height * scale), 1))
        yield photo.resize(size, PIL.Image.Resampling.LANCZOS)
