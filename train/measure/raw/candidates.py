"""Low-confidence detections, in pictures without a face and of small and turned ones: what a false positive looks
like."""

import dataclasses

import numpy as np
import PIL.Image
import PIL.ImageFilter

from hf_model.faces.face import Face, overlaps
from hf_model.predictor import AgeGenderPredictor
from train.data import Chips
from train.measure.raw.scenes import make_scene

# Of MTCNN's three networks: so low that it finds faces in most things.
LOWERED = {"threshold_pnet": 0.5, "threshold_rnet": 0.3, "threshold_onet": 0.3}
PICTURES = 150
CAUGHT = 0.95  # of false positives
SMALL, MOST_TILT = (0.12, 0.5), 60.0  # of real faces: their side as a multiple of a chip's 200 pixels; degrees


@dataclasses.dataclass(frozen=True)
class Candidates:
    """Low-confidence detections: ``verification_score`` and ``familiarity`` (N,), ``given`` (N,): whether it is
    answered as shipped."""

    verification_score: np.ndarray
    familiarity: np.ndarray
    given: np.ndarray


def faceless(chips: Chips, count: int) -> list[PIL.Image.Image]:
    """RGB pictures without a face: chips with their pieces in another order, their edges, textures, noise."""
    random = np.random.default_rng(0)
    made = []
    for number, chip in enumerate(chips.images[:count]):
        kind = number % 4
        if kind in (0, 1):
            pieces = 5
            side = len(chip) // pieces
            tiles = [
                chip[y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(pieces) for x in range(pieces)
            ]
            order = random.permutation(len(tiles))
            rows = [
                np.hstack([tiles[one] for one in order[start : start + pieces]])
                for start in range(0, len(tiles), pieces)
            ]
            image = PIL.Image.fromarray(np.vstack(rows)).filter(PIL.ImageFilter.GaussianBlur(2 * kind))
        elif kind == 2:
            coarse = random.integers(0, 256, (random.integers(3, 12), random.integers(3, 12), 3), dtype=np.uint8)
            image = PIL.Image.fromarray(coarse).resize((200, 200), PIL.Image.Resampling.BICUBIC)
        else:
            image = PIL.Image.fromarray(np.ascontiguousarray(chip[40:160:, ::-1].transpose(1, 0, 2)))
            image = image.filter(PIL.ImageFilter.FIND_EDGES).resize((200, 200))
        made.append(image.resize((400, 400), PIL.Image.Resampling.BICUBIC))
    return made


def low_confidence(predictor: AgeGenderPredictor, images: list[PIL.Image.Image], is_real: bool) -> Candidates:
    """The surest of what the detector finds in each picture at ``LOWERED`` thresholds; of pictures of none all of
    it."""
    found: list[tuple[float, float, bool]] = []
    for image in images:
        detector = predictor.detector
        items = detector.load().detect_faces(np.asarray(image), min_face_size=20, **LOWERED)
        faces = [face for face in map(Face.from_mtcnn, items) if face.is_sound()]
        faces = [face for face in detector.refine(image, faces) if overlaps(image, face, predictor.settings.crop)]
        if is_real:
            faces = sorted(faces, key=lambda face: -face.score)[:1]
        if not faces:
            continue
        shipped = detector(image)
        for face, answer in zip(faces, predictor.raw_of(image, faces), strict=True):
            given = any(abs(face.left - one.left) + abs(face.top - one.top) < face.size for one in shipped)
            familiarity = answer.quality["familiarity"]
            found.append((face.verification_score, np.nan if familiarity is None else familiarity, given))
    table = np.array(found, float).reshape(-1, 3)
    return Candidates(table[:, 0], table[:, 1], table[:, 2] > 0)


def real_scenes(chips: Chips, count: int) -> list[PIL.Image.Image]:
    """Small and turned faces on larger pictures."""
    random = np.random.default_rng(0)
    return [make_scene(chip, random, SMALL, MOST_TILT).image for chip in chips.images[:count]]


def score_limit(none: Candidates) -> float:
    """The verification score below which ``CAUGHT`` of the false positives lie, to a hundredth."""
    return round(float(np.quantile(none.verification_score, CAUGHT)), 2) if len(none.verification_score) else 0.0
