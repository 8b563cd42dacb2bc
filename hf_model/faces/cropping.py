"""From an input to the crops of the faces asked for: the picture read no larger than it has to be, the detector, the
squares."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import PIL.Image

from ..pictures.alignment import Square, cut
from ..pictures.colours import to_srgb
from ..pictures.images import read_in_own_colours, read_reduced
from ..pictures.resize import resize
from ..settings import Settings
from .detector import FaceDetector
from .face import Face, chip_square, overlaps
from .quality import measure_quality


@dataclasses.dataclass(frozen=True)
class FoundFaces:
    """A photo and the faces asked for: ``picture``, upright, in its own colours, perhaps smaller than the photo's
    ``size``; ``faces`` in the photo's pixels, None for a picture that is one; ``count``: how many faces the photo
    has."""

    picture: PIL.Image.Image
    size: tuple[int, int]
    faces: Sequence[Face | None]
    count: int


@dataclasses.dataclass(frozen=True)
class FaceCrop:
    """A face as the network is shown it: ``pixels`` (S, S, 3) uint8; ``square``: where they are in the photo, None for
    a chip; ``photo``: its size in pixels; ``count``: how many faces it has."""

    face: Face | None
    square: Square | None
    pixels: np.ndarray
    photo: tuple[int, int]
    count: int

    def quality(self, familiarity: float | None) -> dict[str, float | None]:
        """The measures of its picture, see :func:`hf_model.faces.quality.measure_quality`."""
        return measure_quality(self.pixels, self.face, self.square, self.photo, self.count, familiarity)


class FaceCropper:
    """Reads photos, finds their faces and cuts them out as the network is shown them.

    Args:
        settings: of the model.
        detector: finds faces.
    """

    def __init__(self, settings: Settings, detector: FaceDetector):
        self.settings, self.detector = settings, detector

    def find(self, image, faces: str) -> FoundFaces:
        """The faces of an input that are asked for, as the predictor's ``faces`` says.

        A large JPEG file is read at a fraction of its size, no smaller than the detector's finest pass. Where the
        faces' squares keep ``reading.drafted_side`` pixels on it, they are cut from it too; else all is done on the
        whole picture.

        Raises:
            InvalidImageError: a photo that cannot be used.
        """
        limit, least, formats = (
            self.settings.input.max_pixels,
            self.settings.reading.drafted_side,
            self.settings.reading.formats,
        )
        if least and faces != "none":
            small, size = read_reduced(image, limit, self.detector.settings.finest_size, formats)
            wanted, count = self._choose(small, faces)
            if small.size == size or all(chip_square(face, self.settings.crop).side >= least for face in wanted):
                times = max(size) / max(small.size)
                return FoundFaces(small, size, [face.enlarged(times) for face in wanted], count)
        upright = read_in_own_colours(image, limit, formats)
        if faces == "none":
            return FoundFaces(upright, upright.size, [None], 1)
        return FoundFaces(upright, upright.size, *self._choose(upright, faces))

    def _choose(self, image: PIL.Image.Image, faces: str) -> tuple[list[Face], int]:
        """The faces asked for, and how many there are."""
        found = [face for face in self.detector(image) if overlaps(image, face, self.settings.crop)]
        if faces == "largest":
            found.sort(key=lambda face: -face.size)
        return [*(found if faces == "all" else found[:1])], len(found)

    def crop(self, found: FoundFaces, face: Face | None) -> PIL.Image.Image:
        """The square upright picture of a face, as large as the chips of the training; a chip as it is."""
        if face is None:
            return to_srgb(found.picture)
        drawn = face.enlarged(max(found.picture.size) / max(found.size))
        size = self.settings.crop.size or self.settings.input.size
        return cut(found.picture, chip_square(drawn, self.settings.crop), size)

    def prepare(self, found: FoundFaces, face: Face | None) -> FaceCrop:
        """A face as the network is shown it."""
        pixels = resize(self.crop(found, face), self.settings.input.size, self.settings.input.resample)
        square = chip_square(face, self.settings.crop) if face else None
        return FaceCrop(face, square, pixels, found.size, found.count)
