"""Finding faces with MTCNN, and cutting them out the way UTKFace's chips are cut."""

import dataclasses
import math
import threading

import numpy as np
import PIL.Image

from .engines import KerasEngine

# Asked for larger faces than this, MTCNN 1.0.0 can scale a picture below what its first network takes,
# and fails; so smaller faces are left out afterwards.
LARGEST_SAFE_FACE = 20

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
# Distances between two landmarks each, by their places in LANDMARKS; a pair and its mirror image count together.
DISTANCES = {
    "eyes": ((0, 1),),
    "mouth": ((3, 4),),
    "eye_nose": ((0, 2), (1, 2)),
    "mouth_nose": ((3, 2), (4, 2)),
    "eye_mouth": ((0, 3), (1, 4)),
    "eye_mouth_across": ((0, 4), (1, 3)),
}
POINTS = {"eyes": (0, 1), "nose": (2,), "mouth": (3, 4)}
MIRRORED = [1, 0, 2, 4, 3]  # where each of LANDMARKS is in a mirror image
LANDMARK_INPUT = 48  # pixels, of MTCNN's last network


@dataclasses.dataclass(frozen=True)
class Face:
    """A found face, in pixels of the image, as floats, perhaps beyond its edges.

    ``left``, ``top``, ``width``, ``height``: the detector's box; ``score``: its confidence, 0 to 1;
    ``landmarks``: five (x, y) in the order of ``LANDMARKS``.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @classmethod
    def from_mtcnn(cls, item: dict, scale: float = 1.0) -> "Face":
        """A face as ``MTCNN.detect_faces`` returns it, found on an image scaled by ``scale``."""
        left, top, width, height = (float(value) / scale for value in item["box"])
        points = (item["keypoints"][name] for name in LANDMARKS)
        landmarks = tuple((float(x) / scale, float(y) / scale) for x, y in points)
        return cls(left, top, width, height, float(item["confidence"]), landmarks)

    def clipped(self, image_width: int, image_height: int) -> dict[str, int]:
        """The box in whole pixels inside the image, as ``Prediction.box`` has it."""
        return {
            "xmin": min(max(round(self.left), 0), image_width),
            "ymin": min(max(round(self.top), 0), image_height),
            "xmax": min(max(round(self.left + self.width), 0), image_width),
            "ymax": min(max(round(self.top + self.height), 0), image_height),
        }


class FaceDetector:
    """MTCNN on a bounded working size (Zhang et al., 2016; package ``mtcnn``, weights inside it).

    Args:
        working_size: the longer side of what the detector sees; a larger image is scaled down, a
            smaller one is left as it is. A 12-megapixel photo takes seconds otherwise.
        min_face_size: smallest face in pixels of the working size.
        min_score: boxes of a lower score are left out.
        landmark_scale: side of the square in which landmarks are refined, as a multiple of their spread,
            the root mean square distance from their mean.
        engine: who runs MTCNN's networks; by default Keras.
    """

    def __init__(
        self,
        working_size: int,
        min_face_size: int,
        min_score: float,
        landmark_scale: float,
        engine: KerasEngine | None = None,
    ):
        self.working_size = working_size
        self.min_face_size = min_face_size
        self.min_score = min_score
        self.landmark_scale = landmark_scale
        self._engine = engine or KerasEngine()
        self._mtcnn = None
        self._lock = threading.Lock()

    def load(self):
        """The MTCNN networks, built at the first call."""
        with self._lock:
            if self._mtcnn is None:
                from mtcnn import MTCNN

                detector = MTCNN()
                for stage in detector.stages:
                    stage._model = self._engine.compile(stage.model)
                self._mtcnn = detector
        return self._mtcnn

    def __call__(self, image: PIL.Image.Image) -> list[Face]:
        """All faces of an upright RGB image, most confident first."""
        scale = min(self.working_size / max(image.size), 1.0)
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        if min(size) < self.min_face_size:
            return []
        seen = image if size == image.size else image.resize(size, PIL.Image.Resampling.BILINEAR, reducing_gap=2.0)
        # One image a call: given a list, MTCNN 1.0.0 can lose every image of it to one without a face.
        # The boxes are asked for unclipped, so that a face at the edge keeps its true centre and size.
        smallest = min(self.min_face_size, LARGEST_SAFE_FACE)
        found = self.load().detect_faces(np.asarray(seen), fit_to_image=False, min_face_size=smallest)
        faces = []
        for item in found:
            face = Face.from_mtcnn(item, scale)
            large_enough = scale * max(face.width, face.height) >= self.min_face_size
            if face.score >= self.min_score and large_enough and _is_sound(face):
                faces.append(face)
        return self.refine(image, sorted(faces, key=lambda face: -face.score))

    def refine(self, image: PIL.Image.Image, faces: list[Face]) -> list[Face]:
        """The faces with their landmarks found once more, on antialiased squares that all frame a face alike.

        MTCNN gives whole pixels of the working size, found in boxes that wander; its last network, asked again
        on such a square and on its mirror image, is steadier by a fifth (``train/README.md``). A face whose square
        lies outside the image stays as it is.
        """
        squares = {face: _landmark_square(face, self.landmark_scale) for face in faces}
        squares = {face: square for face, square in squares.items() if _touches(image, *square)}
        if not squares:
            return faces
        patches = []
        for square in squares.values():
            patch = cut_square(image, *square).resize((LANDMARK_INPUT,) * 2, PIL.Image.Resampling.BILINEAR)
            patches += [np.asarray(patch), np.asarray(patch)[:, ::-1]]
        _, found, _ = self.load().stages[-1].model((np.stack(patches).astype(np.float32) - 127.5) / 128)
        refined = {}
        # Of each face, as it is and mirrored, the x of the five landmarks and then their y, as fractions of the side.
        for (face, (left, top, side)), (plain, mirrored) in zip(
            squares.items(), np.asarray(found).reshape(-1, 2, 2, len(LANDMARKS)), strict=True
        ):
            x = (plain[0] + 1 - mirrored[0][MIRRORED]) / 2 * side + left
            y = (plain[1] + mirrored[1][MIRRORED]) / 2 * side + top
            refined[face] = dataclasses.replace(face, landmarks=tuple(zip(x.tolist(), y.tolist(), strict=True)))
        return [refined.get(face, face) for face in faces]


def _is_sound(face: Face) -> bool:
    """Whether a face has a size: MTCNN can return empty boxes and landmarks that fall together."""
    numbers = (face.left, face.top, face.width, face.height, *np.ravel(face.landmarks))
    return all(map(math.isfinite, numbers)) and min(face.width, face.height, np.ptp(face.landmarks, axis=0).max()) > 0


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


def chip_square(face: Face, crop: dict) -> tuple[int, int, int]:
    """The square (left, top, side) that frames a face as a UTKFace chip does, perhaps beyond the image.

    It is laid by the landmarks, as UTKFace's chips were: the box wanders several times as much.

    Args:
        face: from :class:`FaceDetector`.
        crop: measured by ``python -m train.measure.calibrate_crop``. ``side``: weights of
            :func:`squared_distances`, whose weighted sum is the square of the side; ``centre``: weights of
            :func:`middle_points`; ``offset_x`` and ``offset_y``: from their weighted mean to the square's centre,
            as fractions of the side.
    """
    squares, points = squared_distances(face), middle_points(face)
    side = max(round(math.sqrt(sum(weight * squares[name] for name, weight in crop["side"].items()))), 1)
    middle = sum(weight * points[name] for name, weight in crop["centre"].items())
    x, y = middle + np.array([crop["offset_x"], crop["offset_y"]]) * side
    return _square_about(x, y, side)


def _square_about(x: float, y: float, side: int) -> tuple[int, int, int]:
    """The square (left, top, side) of whole pixels about a point."""
    return round(float(x) - side / 2), round(float(y) - side / 2), side


def _landmark_square(face: Face, scale: float) -> tuple[int, int, int]:
    """The square (left, top, side) about the mean of a face's landmarks, ``scale`` times their spread large."""
    points = np.asarray(face.landmarks)
    x, y = points.mean(axis=0)
    side = max(round(scale * float(np.sqrt(((points - (x, y)) ** 2).sum(axis=1).mean()))), 1)
    return _square_about(x, y, side)


def _touches(image: PIL.Image.Image, left: int, top: int, side: int) -> bool:
    """Whether a square covers some of the image."""
    return left < image.width and top < image.height and left + side > 0 and top + side > 0


def overlaps(image: PIL.Image.Image, face: Face, crop: dict) -> bool:
    """Whether a face's box and its square both cover some of the image."""
    box = face.clipped(*image.size)
    return _touches(image, *chip_square(face, crop)) and box["xmax"] > box["xmin"] and box["ymax"] > box["ymin"]


def crop_square(image: PIL.Image.Image, face: Face, crop: dict) -> PIL.Image.Image:
    """The square around a face, see :func:`chip_square` and :func:`cut_square`; it must overlap the image."""
    return cut_square(image, *chip_square(face, crop))


def cut_square(image: PIL.Image.Image, left: int, top: int, side: int) -> PIL.Image.Image:
    """A square of an upright RGB image that it touches, never squeezed; beyond the image its edge is repeated."""
    box = (max(left, 0), max(top, 0), min(left + side, image.width), min(top + side, image.height))
    inside = image.crop(box)
    if inside.size == (side, side):
        return inside
    padding = ((box[1] - top, top + side - box[3]), (box[0] - left, left + side - box[2]), (0, 0))
    return PIL.Image.fromarray(np.pad(np.asarray(inside), padding, mode="edge"))
