"""A found face: its box and landmarks, how it is framed as UTKFace's chips are, and which of several comes first."""

import dataclasses
import math

import numpy as np
import PIL.Image

from ..network.mtcnn.landmarks import LANDMARKS
from ..pictures.alignment import Square
from ..settings import Crop, CropRoll
from .boxes import shared_area

# Distances between two landmarks each, by their places in LANDMARKS; a pair and its mirror image count together.
DISTANCES = {
    "eyes": ((0, 1),),
    "mouth": ((3, 4),),
    "eye_nose": ((0, 2), (1, 2)),
    "mouth_nose": ((3, 2), (4, 2)),
    "eye_mouth": ((0, 3), (1, 4)),
    "eye_mouth_across": ((0, 4), (1, 3)),
}
EQUAL_LINES = CropRoll()
POINTS = {"eyes": (0, 1), "nose": (2,), "mouth": (3, 4)}


@dataclasses.dataclass(frozen=True)
class Face:
    """A found face, in pixels of the image, as floats, perhaps beyond its edges.

    ``left``, ``top``, ``width``, ``height``: the detector's box; ``score``: its confidence, 0 to 1;
    ``landmarks``: five (x, y) in the order of ``LANDMARKS``; ``rotation``: by how many degrees, 0, 90, 180 or
    270, the image had to be turned counter-clockwise for the detector to find it; ``verification_score``: what MTCNN's
    last network says of it on a square that is level with it, 0 to 1.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    landmarks: tuple[tuple[float, float], ...]
    rotation: int = 0
    verification_score: float = 0.0

    @classmethod
    def from_mtcnn(cls, item: dict) -> "Face":
        """A face as ``MTCNN.detect_faces`` returns it."""
        left, top, width, height = map(float, item["box"])
        landmarks = tuple((float(x), float(y)) for x, y in (item["keypoints"][name] for name in LANDMARKS))
        return cls(left, top, width, height, float(item["confidence"]), landmarks)

    @property
    def size(self) -> float:
        """The longer side of the box."""
        return max(self.width, self.height)

    def is_sound(self) -> bool:
        """Whether it has a size: MTCNN can return empty boxes and landmarks that fall together."""
        numbers = (self.left, self.top, self.width, self.height, *np.ravel(self.landmarks))
        sizes = (self.width, self.height, np.ptp(self.landmarks, axis=0).max())
        return all(map(math.isfinite, numbers)) and min(sizes) > 0

    def clipped(self, image_width: int, image_height: int) -> dict[str, int]:
        """The box in whole pixels inside the image, as ``Prediction.box`` has it."""
        return {
            "xmin": min(max(round(self.left), 0), image_width),
            "ymin": min(max(round(self.top), 0), image_height),
            "xmax": min(max(round(self.left + self.width), 0), image_width),
            "ymax": min(max(round(self.top + self.height), 0), image_height),
        }

    def shifted(self, x: float, y: float) -> "Face":
        """The same face on a larger image, of which this one lies at (x, y)."""
        landmarks = tuple((along + x, down + y) for along, down in self.landmarks)
        return dataclasses.replace(self, left=self.left + x, top=self.top + y, landmarks=landmarks)

    def enlarged(self, factor: float) -> "Face":
        """The same face on an image that is so many times as large."""
        left, top, width, height = (factor * value for value in (self.left, self.top, self.width, self.height))
        landmarks = tuple((factor * x, factor * y) for x, y in self.landmarks)
        return Face(left, top, width, height, self.score, landmarks, self.rotation, self.verification_score)

    def turned_back(self, rotation: int, width: int, height: int) -> "Face":
        """A face found on an image of (width, height) after turning it counter-clockwise, on that image."""
        if not rotation:
            return self
        back = {
            90: lambda x, y: (width - y, x),
            180: lambda x, y: (width - x, height - y),
            270: lambda x, y: (y, height - x),
        }[rotation]
        ends = [back(self.left, self.top), back(self.left + self.width, self.top + self.height)]
        (left, top), (right, bottom) = np.min(ends, axis=0).tolist(), np.max(ends, axis=0).tolist()
        landmarks = tuple(back(x, y) for x, y in self.landmarks)
        return Face(left, top, right - left, bottom - top, self.score, landmarks, rotation, self.verification_score)


def squared_distances(face: Face) -> dict[str, float]:
    """The squared distances of ``DISTANCES`` in pixels, each the mean over its pairs."""
    points = np.asarray(face.landmarks)
    return {
        name: float(np.mean([np.sum((points[a] - points[b]) ** 2) for a, b in pairs]))
        for name, pairs in DISTANCES.items()
    }


def middle_points(face: Face) -> dict[str, np.ndarray]:
    """(x, y) between the eyes, of the nose, and of the middle of the mouth."""
    points = np.asarray(face.landmarks)
    return {name: points[list(places)].mean(axis=0) for name, places in POINTS.items()}


def roll(face: Face, weights: CropRoll = EQUAL_LINES) -> float:
    """How far a face is turned clockwise, as seen, from standing upright: degrees, -180 to 180.

    Args:
        weights: of ``eyes`` and ``mouth``, the lines between the two eyes and between the mouth's corners, and of
            ``down``, the line from the eyes' middle to the mouth's; a line weighs as much as it is long, too. The first
            two crowd together on a face turned away, the third does not.
    """
    points = np.asarray(face.landmarks)
    down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    lines = {"eyes": points[1] - points[0], "mouth": points[4] - points[3], "down": np.array([down[1], -down[0]])}
    x, y = sum(getattr(weights, name) * line for name, line in lines.items())
    return math.degrees(math.atan2(y, x))


def yaw(face: Face) -> float:
    """About how far a face is turned to the picture's right (below 0: to its left): degrees, from its landmarks.

    The tip of the nose stands out from the plane of eyes and mouth by about nine tenths of half the distance of
    the eyes, so that it wanders from the middle line as the eyes draw together.
    """
    points = LevelPoints(face)
    return math.degrees(math.atan2(points.nose - points.middle, 0.9 * max(points.half_eyes, 1e-6)))


class LevelPoints:
    """Across a face that is turned level: ``nose``, the middle line at its height, and half the eyes' distance."""

    def __init__(self, face: Face):
        angle = math.radians(roll(face))
        level = np.asarray(face.landmarks) @ [
            [math.cos(angle), -math.sin(angle)],
            [math.sin(angle), math.cos(angle)],
        ]
        eyes, mouth = level[:2].mean(axis=0), level[3:].mean(axis=0)
        down = mouth[1] - eyes[1]
        share = np.clip((level[2, 1] - eyes[1]) / down, 0, 1) if down > 0 else 0.5
        self.nose = float(level[2, 0])
        self.middle = float(eyes[0] + share * (mouth[0] - eyes[0]))
        self.half_eyes = float(level[1, 0] - level[0, 0]) / 2
        self.stands = down > 0


def stands(face: Face, most_roll: float) -> bool:
    """Whether the landmarks lie as in a face that is tilted by no more than so many degrees, its mouth below its
    eyes."""
    return abs(roll(face)) <= most_roll and LevelPoints(face).stands


def chip_square(face: Face, crop: Crop) -> Square:
    """The square that frames a face as a UTKFace chip does, perhaps beyond the image, snapped.

    It is laid by the landmarks, as UTKFace's chips were: the box wanders several times as much. Where they crowd
    together, as on a face turned away, the box bounds it.

    Args:
        face: from :class:`hf_model.faces.detector.FaceDetector`.
        crop: of the model's settings.
    """
    squares, points = squared_distances(face), middle_points(face)
    side = math.sqrt(sum(weight * squares[name] for name, weight in dataclasses.asdict(crop.side).items()))
    side = max(side, crop.smallest * math.sqrt(face.width * face.height), 1.0)
    angle = roll(face, crop.roll) if crop.roll else 0.0
    x, y = sum(weight * points[name] for name, weight in dataclasses.asdict(crop.centre).items())
    along, down = Square(0, 0, side, angle).axes()
    x, y = np.array([x, y]) + crop.offset_x * along + crop.offset_y * down
    return Square(float(x), float(y), side, angle).snapped()


def landmark_square(face: Face, scale: float) -> Square:
    """The square about the mean of a face's landmarks, level with it, ``scale`` times their spread large, snapped."""
    points = np.asarray(face.landmarks)
    x, y = points.mean(axis=0)
    spread = float(np.sqrt(((points - (x, y)) ** 2).sum(axis=1).mean()))
    return Square(float(x), float(y), max(scale * spread, 1.0), roll(face)).snapped()


def overlaps(image: PIL.Image.Image, face: Face, crop: Crop) -> bool:
    """Whether a face's box and its square both cover some of the image."""
    box = face.clipped(*image.size)
    square = chip_square(face, crop)
    return square.touches(*image.size) and box["xmax"] > box["xmin"] and box["ymax"] > box["ymin"]


def in_order(faces: list[Face], score_margin: float) -> list[Face]:
    """The most confident first; of those whose scores differ by no more than the margin, the largest."""
    left, ordered = sorted(faces, key=lambda face: -face.score), []
    while left:
        equal = [face for face in left if face.score >= left[0].score - score_margin]
        first = max(equal, key=lambda face: face.size)
        ordered.append(first)
        left.remove(first)
    return ordered


def merged(faces: list[Face], most_overlap: float) -> list[Face]:
    """Without those that mostly share a better face's box: the smaller one's share of area is above
    ``most_overlap``."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_shared(face, other) <= most_overlap for other in kept):
            kept.append(face)
    return kept


def _shared(one: Face, other: Face) -> float:
    """Area of two boxes' intersection as a share of the smaller box."""
    first, second = ((face.left, face.top, face.left + face.width, face.top + face.height) for face in (one, other))
    return shared_area(first, second) / min(one.width * one.height, other.width * other.height)
