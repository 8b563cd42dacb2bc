"""Finding faces with MTCNN: upright, small, turned and poorly lit ones.

A photo is searched once on a bounded working size. Further passes are taken only where that one leaves something to
find: a finer one in tiles where no face is large, quarter turns and a stretched contrast where there is no face at all.
Every face is checked by MTCNN's last network on an antialiased square that is turned level with it.
"""

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator

import numpy as np
import PIL.Image
import PIL.ImageOps

from ..network.engines.engine import Mtcnn
from ..pictures.alignment import cut
from ..pictures.colours import with_srgb_tones
from ..settings import Detection
from .face import Face, in_order, landmark_square, merged, stands

# Asked for larger faces than this, MTCNN 1.0.0 can scale a picture below what its first network takes,
# and fails; so smaller faces are left out afterwards.
LARGEST_SAFE_FACE = 20
LANDMARK_INPUT = 48  # pixels, of MTCNN's last network
MIRRORED = [1, 0, 2, 4, 3]  # where each of LANDMARKS is in a mirror image
FACES_AT_ONCE = 64  # checked in one batch, so that a crowd's memory is bounded
BILINEAR = PIL.Image.Resampling.BILINEAR
TURNS = {
    90: PIL.Image.Transpose.ROTATE_90,
    180: PIL.Image.Transpose.ROTATE_180,
    270: PIL.Image.Transpose.ROTATE_270,
}


class FaceDetector:
    """MTCNN on a bounded working size (Zhang et al., 2016).

    Args:
        settings: sizes and limits.
        load_networks: gives MTCNN, at the first photo; such as ``engine.detector``.
    """

    def __init__(self, settings: Detection, load_networks: Callable[[], Mtcnn]):
        self.settings = settings
        self._load_networks = load_networks
        self._mtcnn: Mtcnn | None = None
        self._lock = threading.Lock()

    def load(self) -> Mtcnn:
        """MTCNN, built at the first call."""
        with self._lock:
            if self._mtcnn is None:
                self._mtcnn = self._load_networks()
        return self._mtcnn

    def __call__(self, image: PIL.Image.Image) -> list[Face]:
        """All faces of an upright RGB image, in the order of :func:`hf_model.faces.face.in_order`."""
        faces = self._upright(image)
        if self._leaves_small_faces(image, faces):
            faces = [*faces, *(face for tile in self._tiles(image) for face in tile)]
        if not self._any_sure(faces):
            faces = self._further(image) or faces
        return in_order(merged(faces, self.settings.most_overlap), self.settings.score_margin)

    def _any_sure(self, faces: list[Face]) -> bool:
        return any(face.verification_score >= self.settings.sure_verification for face in faces)

    def _further(self, image: PIL.Image.Image) -> list[Face]:
        """What the further passes find, of which more is asked."""
        faces: list[Face] = []
        if self.settings.further.turned_size:
            faces = max((self._turned(image, rotation) for rotation in TURNS), key=_area)
        if not faces and self.settings.further.stretch:
            faces = self._poorly_lit(image)
        return faces

    def _upright(self, image: PIL.Image.Image) -> list[Face]:
        """The faces that stand upright in an image, found on a bounded size of it."""
        seen, scale = _shrunk(image, self.settings.working_size)
        return self._checked(image, [face.enlarged(1 / scale) for face in self._detect(seen)])

    def _detect(self, seen: PIL.Image.Image, **thresholds: float) -> list[Face]:
        """MTCNN's faces of a picture as large as it is."""
        if min(seen.size) < self.settings.min_face_size:
            return []
        # One image a call: given a list, MTCNN 1.0.0 can lose every image of it to one without a face.
        smallest = min(self.settings.min_face_size, LARGEST_SAFE_FACE)
        items = self.load().detect_faces(np.asarray(seen), min_face_size=smallest, **thresholds)
        faces = [Face.from_mtcnn(item) for item in items]
        return [
            f
            for f in faces
            if f.score >= self.settings.min_score and f.size >= self.settings.min_face_size and f.is_sound()
        ]

    def _leaves_small_faces(self, image: PIL.Image.Image, faces: list[Face]) -> bool:
        """Whether a finer pass may find more: the photo is larger than the first one saw it, and no face in it
        large."""
        longest = max(image.size)
        finer = min(longest, self.settings.further.fine_size) > self.settings.working_size
        return finer and max((face.size for face in faces), default=0) <= self.settings.further.large_face * longest

    def _tiles(self, image: PIL.Image.Image) -> Iterator[list[Face]]:
        """The faces of each tile of the finer pass that do not reach over an edge into the next one."""
        seen, scale = _shrunk(image, self.settings.further.fine_size)
        columns, rows = (
            _starts(side, self.settings.further.tile_size, self.settings.further.tile_overlap) for side in seen.size
        )
        for top, bottom in rows:
            for left, right in columns:
                found = self._detect(seen.crop((left, top, right, bottom)))
                whole = [
                    face
                    for face in (face.shifted(left, top) for face in found)
                    if (left == 0 or face.left > left)
                    and (top == 0 or face.top > top)
                    and (right == seen.width or face.left + face.width < right)
                    and (bottom == seen.height or face.top + face.height < bottom)
                ]
                yield self._checked(image, [face.enlarged(1 / scale) for face in whole])

    def _turned(self, image: PIL.Image.Image, rotation: int) -> list[Face]:
        """The faces that stand upright after a quarter turn, on the image as it is."""
        seen, scale = _shrunk(image, self.settings.further.turned_size)
        turned = seen.transpose(TURNS[rotation])
        found = [
            f
            for f in self._checked(turned, self._detect(turned))
            if f.verification_score >= self.settings.further.sure_verification
        ]
        return self.refine(image, [f.turned_back(rotation, *seen.size).enlarged(1 / scale) for f in found])

    def _poorly_lit(self, image: PIL.Image.Image) -> list[Face]:
        """The faces of an image whose brightness and contrast are evened out first, found by lower thresholds."""
        seen, scale = _shrunk(image, self.settings.working_size)
        stretched = stretched_contrast(seen, self.settings.further.stretch, self.settings.further.stretched_percent)
        lowered = self.settings.further.thresholds
        faces = self._checked(stretched, self._detect(stretched, **(dataclasses.asdict(lowered) if lowered else {})))
        return [
            face.enlarged(1 / scale)
            for face in faces
            if face.verification_score >= self.settings.further.sure_verification
        ]

    def _checked(self, image: PIL.Image.Image, faces: list[Face]) -> list[Face]:
        """The faces that stand upright and that the last network is sure of, or nearly; landmarks refined."""
        once = self.refine(image, faces)
        if not self.settings.sure_verification:
            return once
        # What MTCNN found tilted it saw tilted, and its landmarks are off: once more, from where they are now. On a
        # head turned away that can lead astray.
        twice = self.refine(image, once)
        best = [
            second
            if second.verification_score >= first.verification_score - self.settings.verification_slack
            else first
            for first, second in zip(once, twice, strict=True)
        ]
        upright = [face for face in best if stands(face, self.settings.most_roll)]
        largest = max(
            (face.size for face in upright if face.verification_score >= self.settings.sure_verification), default=0
        )
        return [
            face
            for face in upright
            if face.verification_score >= self.settings.sure_verification or self._is_likely(face, largest)
        ]

    def _is_likely(self, face: Face, largest: float) -> bool:
        """Whether it may be a face, and is none of the specks that are found beside one."""
        convinces = (
            face.score >= self.settings.likely_score and face.verification_score >= self.settings.likely_verification
        )
        return convinces and face.size >= self.settings.likely_size * largest

    def refine(self, image: PIL.Image.Image, faces: list[Face]) -> list[Face]:
        """The faces with their landmarks found once more, on antialiased level squares that frame all alike.

        MTCNN gives whole pixels of the working size, found in boxes that wander; its last network, asked again
        on such a square and on its mirror image, is steadier by a fifth (``train/README.md``), and what it says of
        the square is the face's ``verification_score``. A face whose square lies outside the image stays as it is.
        """
        if len(faces) > FACES_AT_ONCE:
            return self.refine(image, faces[:FACES_AT_ONCE]) + self.refine(image, faces[FACES_AT_ONCE:])
        squares = [landmark_square(face, self.settings.landmark_scale) for face in faces]
        seen = [row for row, square in enumerate(squares) if square.touches(*image.size)]
        if not seen:
            return list(faces)
        patches = [np.asarray(cut(image, squares[row], LANDMARK_INPUT)) for row in seen]
        both = np.stack([patch for patch in patches for patch in (patch, patch[:, ::-1])]).astype(np.float32)
        answers = self.load().output((both - 127.5) / 128)
        # Of each face, as it is and mirrored, the x of the five landmarks and then their y, as fractions of the side.
        found = answers["landmarks"].reshape(-1, 2, 2, len(MIRRORED))
        scores = answers["faces"][:, 1].reshape(-1, 2).mean(axis=1)
        refined = list(faces)
        for row, (plain, mirrored), score in zip(seen, found, scores.tolist(), strict=True):
            x = (plain[0] + 1 - mirrored[0][MIRRORED]) / 2
            y = (plain[1] + mirrored[1][MIRRORED]) / 2
            points = squares[row].place(np.stack([x, y], axis=1))
            refined[row] = dataclasses.replace(
                faces[row], landmarks=tuple(map(tuple, points.tolist())), verification_score=score
            )
        return refined


def stretched_contrast(image: PIL.Image.Image, mean: float, percent: float) -> PIL.Image.Image:
    """An RGB image bent by a gamma curve to about that mean brightness, 0 to 1, and stretched to the full range but for
    that percentage of its darkest and of its brightest pixels."""
    now = min(max(float(np.asarray(image.convert("L")).mean()) / 255, 0.01), 0.99)
    gamma = math.log(mean) / math.log(now)
    bent = image.point([round(255 * (value / 255) ** gamma) for value in range(256)] * 3)
    return PIL.ImageOps.autocontrast(bent, percent)


def _shrunk(image: PIL.Image.Image, longest: int) -> tuple[PIL.Image.Image, float]:
    """An image no larger than that, as bright as in sRGB, and its scale."""
    scale = min(longest / max(image.size), 1.0)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return with_srgb_tones(image if size == image.size else image.resize(size, BILINEAR, reducing_gap=2.0)), scale


def _area(faces: list[Face]) -> float:
    """By which one of several turns of a photo is chosen: what its faces cover."""
    return sum(face.width * face.height for face in faces)


def _starts(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    """From where to where the fewest tiles of equal length reach along a side."""
    count = max(-(-(length - overlap) // (tile - overlap)), 1)
    step = (length - overlap) / count
    return [(round(index * step), min(round(index * step + step + overlap), length)) for index in range(count)]
