"""Finding faces with MTCNN, and cutting them out the way UTKFace's chips are cut."""

import dataclasses
import math
import threading

import numpy as np
import PIL.Image


@dataclasses.dataclass(frozen=True)
class Face:
    """A found face: the detector's box in pixels of the image, as floats, perhaps beyond its edges."""

    left: float
    top: float
    width: float
    height: float
    score: float

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
    """

    def __init__(self, working_size: int, min_face_size: int, min_score: float):
        self.working_size = working_size
        self.min_face_size = min_face_size
        self.min_score = min_score
        self._mtcnn = None
        self._lock = threading.Lock()

    def load(self):
        """The MTCNN networks, built at the first call."""
        with self._lock:
            if self._mtcnn is None:
                from mtcnn import MTCNN

                self._mtcnn = MTCNN()
        return self._mtcnn

    def __call__(self, image: PIL.Image.Image) -> list[Face]:
        """All faces of an upright RGB image, most confident first."""
        scale = min(self.working_size / max(image.size), 1.0)
        size = tuple(max(round(side * scale), 1) for side in image.size)
        if min(size) < self.min_face_size:
            return []
        if size != image.size:
            image = image.resize(size, PIL.Image.Resampling.BILINEAR, reducing_gap=2.0)
        # One image a call: given a list, MTCNN 1.0.0 can lose every image of it to one without a face.
        # The boxes are asked for unclipped, so that a face at the edge keeps its true centre and size.
        found = self.load().detect_faces(np.asarray(image), fit_to_image=False, min_face_size=self.min_face_size)
        faces = []
        for item in found:
            left, top, width, height = (float(value) / scale for value in item["box"])
            score = float(item["confidence"])
            if (
                score >= self.min_score
                and width > 0
                and height > 0
                and all(map(math.isfinite, (left, top, width, height)))
            ):
                faces.append(Face(left, top, width, height, score))
        return sorted(faces, key=lambda face: -face.score)


def crop_square(image: PIL.Image.Image, face: Face, crop: dict) -> PIL.Image.Image:
    """The square around a face that frames it as a UTKFace chip does; never squeezed.

    Args:
        image: upright RGB.
        face: from :class:`FaceDetector`.
        crop: ``center_x`` and ``center_y``, the square's centre as fractions of the box, and
            ``scale``, its side as a multiple of the box's longer side; measured by
            ``python -m train.calibrate_crop``.

    Returns:
        An RGB image of equal sides; where it leaves the photo, the photo's edge is repeated.
    """
    side = max(round(max(face.width, face.height) * crop["scale"]), 1)
    left = round(face.left + crop["center_x"] * face.width - side / 2)
    top = round(face.top + crop["center_y"] * face.height - side / 2)
    box = (max(left, 0), max(top, 0), min(left + side, image.width), min(top + side, image.height))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(f"the box {face} lies outside the image of {image.width}×{image.height} pixels")
    inside = image.crop(box)
    if inside.size == (side, side):
        return inside
    padding = ((box[1] - top, top + side - box[3]), (box[0] - left, left + side - box[2]), (0, 0))
    return PIL.Image.fromarray(np.pad(np.asarray(inside), padding, mode="edge"))
