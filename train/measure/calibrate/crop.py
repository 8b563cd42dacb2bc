"""Measures how MTCNN's landmarks lie in a UTKFace chip, and writes the crop's constants to config.json.

Chips of the training split are pasted on larger pictures and tilted, found by the detector, and the square
is fitted that the landmarks must give so that the chip comes back: its roll from the lines between them, its side
from their distances, its centre from their places. Beside it, how far the detector's score wanders on one and the
same face, within which scores tell nothing.
"""

import dataclasses
import itertools

import datasets
import numpy as np

from hf_model.faces.detector import FaceDetector
from hf_model.faces.face import DISTANCES, POINTS, Face, chip_square, middle_points, roll, squared_distances, yaw
from hf_model.network.engines.keras_engine import KerasEngine
from hf_model.pictures.alignment import Square
from hf_model.settings import Crop, CropCentre, CropRoll, CropSide, as_json
from train.measure.context import Context
from train.measure.raw.scenes import Scene, make_scene

SOMETHING_ELSE = 0.15  # of the side
MOST_TILT = 20.0  # degrees
CHIPS = 600  # training chips
TURNED_AWAY = 25.0  # degrees of yaw
# Tried for the roll, the line of the eyes weighing 1; and for the least side, in mean sides of the detector's box.
LINE_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
SMALLEST = (0.0, *np.arange(0.9, 1.61, 0.02).round(2).tolist())
SHIFTS = ((0, 0), (1, 2), (3, 1), (5, 7), (10, 4))  # pixels, under which a score is asked for again
WANDERS = 0.9  # the share of faces whose score wanders by no more than the margin


def fit_crop(faces: list[Face], squares: list[Square]) -> Crop:
    """The crop constants under which the faces' squares match the true ones, see
    :func:`hf_model.faces.face.chip_square`.

    No distance gets a negative weight, so no face, however odd, can have a square of no size.

    Args:
        faces: N found faces.
        squares: N true squares of the chips, in pixels.
    """
    # Where the middle of the points is far from where it is in the median face, the detector found something else.
    places = [
        square.find(np.stack(list(middle_points(face).values()))).mean(axis=0)
        for face, square in zip(faces, squares, strict=True)
    ]
    kept = np.hypot(*(places - np.median(places, axis=0)).T) < SOMETHING_ELSE
    faces = [face for face, keep in zip(faces, kept, strict=True) if keep]
    squares = [square for square, keep in zip(squares, kept, strict=True) if keep]
    lines = fit_roll(faces, squares)

    distances = np.array([list(squared_distances(face).values()) for face in faces])
    sides = np.array([square.side for square in squares])
    weights = positive_weights(distances / sides[:, None] ** 2, np.ones(len(sides)))
    side = np.sqrt(distances @ weights)
    correction = np.median(sides / side)
    weights, side = weights * correction**2, side * correction

    # In sides from the mouth, across and down as the face is turned: how far the eyes, the nose and the centre are.
    level = [Square(0, 0, 1, roll(face, lines)) for face in faces]
    points = np.array([list(middle_points(face).values()) for face in faces])  # (N, 3, 2)
    centres = np.array([(square.x, square.y) for square in squares])
    eyes, nose, mouth = points.transpose(1, 0, 2)
    to_eyes, to_nose, to_centre = (
        (
            np.stack([square.find(ends) - 0.5 for square, ends in zip(level, (far - mouth)[:, None], strict=True)])[
                :, 0
            ]
            / side[:, None]
        ).T.ravel()
        for far in (eyes, nose, centres)
    )
    along_x = np.repeat([1.0, 0.0], len(sides))
    unknowns = np.column_stack([to_eyes, to_nose, along_x, 1 - along_x])
    (eyes_weight, nose_weight, _, _), *_ = np.linalg.lstsq(unknowns, to_centre, rcond=None)
    rest = to_centre - eyes_weight * to_eyes - nose_weight * to_nose
    offset_x, offset_y = np.median(rest.reshape(2, -1), axis=1)
    centre = (eyes_weight, nose_weight, 1 - eyes_weight - nose_weight)
    crop = Crop(
        CropSide(**{name: round(float(weight), 4) for name, weight in zip(DISTANCES, weights, strict=True)}),
        CropCentre(**{name: round(float(weight), 4) for name, weight in zip(POINTS, centre, strict=True)}),
        round(float(offset_x), 4),
        round(float(offset_y), 4),
        lines,
    )
    return dataclasses.replace(crop, smallest=fit_smallest(faces, squares, crop))


def fit_roll(faces: list[Face], squares: list[Square]) -> CropRoll:
    """The weights of the lines, see :func:`hf_model.faces.face.roll`, with the least mean error of the roll."""
    tried = (CropRoll(1.0, mouth, down) for mouth, down in itertools.product(LINE_WEIGHTS, repeat=2))
    return min(tried, key=lambda weights: np.mean(roll_errors(faces, squares, weights)))


def roll_errors(faces: list[Face], squares: list[Square], weights: CropRoll) -> np.ndarray:
    """(N,) degrees between the faces' rolls and the true ones."""
    found = np.array([roll(face, weights) - square.roll for face, square in zip(faces, squares, strict=True)])
    return np.abs((found + 180) % 360 - 180)


def fit_smallest(faces: list[Face], squares: list[Square], crop: Crop) -> float:
    """The least side, in mean sides of the box, with the least mean error on faces that are turned away; 0 for none."""
    away = [row for row, face in enumerate(faces) if abs(yaw(face)) >= TURNED_AWAY]
    if not away:
        return 0.0
    turned, true = [faces[row] for row in away], [squares[row] for row in away]

    def error(least: float) -> float:
        return float(np.mean(framing_errors(turned, true, dataclasses.replace(crop, smallest=least))["side"]))

    return min(SMALLEST, key=error)


def positive_weights(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares weights of columns (N, K) for a target (N,), without those that would be negative."""
    weights = np.zeros(columns.shape[1])
    kept = list(range(columns.shape[1]))
    while True:
        found = np.linalg.lstsq(columns[:, kept], target, rcond=None)[0]
        if found.min() >= 0 or len(kept) == 1:
            weights[kept] = np.maximum(found, 0)
            return weights
        kept.pop(int(found.argmin()))


def framing_errors(faces: list[Face], squares: list[Square], crop: Crop) -> dict[str, np.ndarray]:
    """(N,) errors of the squares' centre and side, as fractions of the true side, and of the roll in degrees."""
    found = [chip_square(face, crop) for face in faces]
    pairs = list(zip(found, squares, strict=True))
    apart = np.array([true.find(np.array([(one.x, one.y)]))[0] - 0.5 for one, true in pairs])
    return {
        "centre_x": np.abs(apart[:, 0]),
        "centre_y": np.abs(apart[:, 1]),
        "side": np.array([abs(one.side / true.side - 1) for one, true in pairs]),
        "roll": np.array([abs((one.roll - true.roll + 180) % 360 - 180) for one, true in pairs]),
    }


def score_wander(detector: FaceDetector, scene: Scene) -> float | None:
    """Between which scores one face's goes when its picture is shifted by a few pixels; None where it is missed."""
    scores = []
    for left, top in SHIFTS:
        found = detector(scene.image.crop((left, top, *scene.image.size)))
        scores += [face.score for face in found[:1]]
    return max(scores) - min(scores) if len(scores) == len(SHIFTS) else None


def run(context: Context) -> dict:
    """The sections ``crop`` and ``detection`` of ``config.json``."""
    settings = context.settings
    detector = FaceDetector(settings.detection, KerasEngine().detector)
    chips = context.all_chips["train"]
    random = np.random.default_rng(0)
    faces, squares, wander = [], [], []
    rows = random.permutation(len(chips))[: context.limit or CHIPS]
    for number, row in enumerate(datasets.utils.tqdm(rows, desc="Detecting", unit=" chips")):
        scene = make_scene(chips.images[row], random, most_tilt=MOST_TILT)
        found = detector(scene.image)
        if found:
            faces.append(found[0])
            squares.append(scene.square)
        if number % 5 == 0:
            wander.append(score_wander(detector, scene))
    # Fitted on one half, and the error told on the other.
    half = len(faces) // 2
    crop = dataclasses.replace(fit_crop(faces[:half], squares[:half]), size=settings.crop.size)
    print(f"{len(faces)} of {len(rows)} chips found; {crop}")
    print_errors(faces[half:], squares[half:], crop)
    known = [value for value in wander if value is not None]
    margin = round(float(np.quantile(known, WANDERS)), 4)
    print(f"of {len(known)} faces shifted by a few pixels, {WANDERS:.0%} have scores that wander by at most {margin}")
    detection = dataclasses.replace(settings.detection, score_margin=margin)
    return {"crop": as_json(crop), "detection": as_json(detection)}


def print_errors(faces: list[Face], squares: list[Square], crop: Crop) -> None:
    """Median errors of the framing, of all faces and of those turned away."""
    away = [row for row, face in enumerate(faces) if abs(yaw(face)) >= TURNED_AWAY]
    for name, part in (("all", range(len(faces))), (f"the {len(away)} turned away", away)):
        if len(part):
            errors = framing_errors([faces[row] for row in part], [squares[row] for row in part], crop)
            told = ", ".join(
                f"{key} {np.median(values):.3f} (mean {values.mean():.3f})" for key, values in errors.items()
            )
            print(f"median error of {name}, of the side, roll in degrees: {told}")
