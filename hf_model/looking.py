"""From an input to the faces that are asked for: the picture read no larger than it has to be, the detector, the squares."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import PIL.Image

from .alignment import Square, cut
from .detection import FaceDetector
from .faces import Face, chip_square, overlaps
from .images import read_image, read_reduced
from .preprocessing import resize
from .quality import measure_quality


@dataclasses.dataclass(frozen=True)
class View:
    """A photo and the faces asked for: ``picture``, upright, perhaps smaller than the photo's ``size``; ``faces`` in the
    photo's pixels, None for a picture that is one; and how many faces the photo has."""

    picture: PIL.Image.Image
    size: tuple[int, int]
    faces: Sequence[Face | None]
    found: int


@dataclasses.dataclass(frozen=True)
class Shown:
    """A face as the network is shown it: ``pixels`` (S, S, 3) uint8, and its picture's measures."""

    face: Face | None
    pixels: np.ndarray
    photo: tuple[int, int]
    quality: dict[str, float | None]


class Looker:
    """Reads photos and finds their faces.

    Args:
        config: the content of ``config.json``.
        detector: finds faces.
    """

    def __init__(self, config: dict, detector: FaceDetector):
        self.config, self.detector = config, detector

    def look(self, image, faces: str) -> View:
        """The faces of an input that are asked for, as the predictor's ``faces`` says.

        A large JPEG file is read at a fraction of its size, no smaller than the detector's finest look. Where the faces'
        squares keep ``reading.drafted_side`` pixels on it, they are cut from it too; else all is done on the whole picture.

        Raises:
            InvalidImageError: a photo that cannot be used.
        """
        limit, least = self.config["input"]["max_pixels"], self.config.get("reading", {}).get("drafted_side")
        if least and faces != "none":
            small, size = read_reduced(image, limit, max(self.detector.working_size, self.detector.looks.fine_size))
            wanted, found = self._find(small, faces)
            if small.size == size or all(chip_square(face, self.config["crop"]).side >= least for face in wanted):
                times = max(size) / max(small.size)
                return View(small, size, [face.enlarged(times) for face in wanted], found)
        upright = read_image(image, limit)
        if faces == "none":
            return View(upright, upright.size, [None], 1)
        return View(upright, upright.size, *self._find(upright, faces))

    def _find(self, image: PIL.Image.Image, faces: str) -> tuple[list[Face], int]:
        """The faces asked for, and how many there are."""
        found = [face for face in self.detector(image) if overlaps(image, face, self.config["crop"])]
        if faces == "largest":
            found.sort(key=lambda face: -face.size)
        return [*(found if faces == "all" else found[:1])], len(found)

    def square(self, face: Face | None) -> Square | None:
        """The square about a face, None for a picture that is one."""
        return chip_square(face, self.config["crop"]) if face else None

    def crop(self, view: View, face: Face | None) -> PIL.Image.Image:
        """The square upright picture of a face, as large as the chips of the training; a chip as it is."""
        if face is None:
            return view.picture
        drawn = face.enlarged(max(view.picture.size) / max(view.size))
        size = self.config["crop"].get("size", self.config["input"]["size"])
        return cut(view.picture, chip_square(drawn, self.config["crop"]), size)

    def show(self, view: View, face: Face | None) -> Shown:
        """A face as the network is shown it."""
        pixels = resize(self.crop(view, face), self.config["input"]["size"], self.config["input"]["resample"])
        quality = measure_quality(pixels, face, self.square(face), view.size, view.found)
        return Shown(face, pixels, view.size, quality)
