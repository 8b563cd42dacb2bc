"""MTCNN's cascade around its three networks, in numpy, for the engines that do without TensorFlow.

Thresholds, pyramid and rounding are those of the ``mtcnn`` package (1.0.0), whose weights it runs: boxes, scores and
landmarks are the same within rounding (``tests/hf_model/test_cascade.py``).

Source: Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks, 2016.
"""

import functools
from collections.abc import Callable

import numpy as np

from .landmarks import LANDMARKS

SCALE_FACTOR = 0.709
SMALLEST_SIDE = 12  # pixels, of what the first network takes
STRIDE = 2  # of the first network's answers, in pixels
PATCHES_AT_ONCE = 256
# Below what makes numpy's OpenBLAS start threads (4 × 65,536): those go on turning for a while, in the network's way.
MULTIPLIED_AT_ONCE = 150_000
OVERLAPS_AT_ONCE = 512

# From a batch to a network's outputs by name, as hf_model.network.graphs describes them.
Network = Callable[[np.ndarray], dict[str, np.ndarray]]


class Cascade:
    """Finds faces: a first network proposes them on a pyramid of sizes, two more judge and place them.

    Args:
        proposal, refine, output: MTCNN's networks, see :func:`hf_model.network.graphs.detector_graphs`.
    """

    def __init__(self, proposal: Network, refine: Network, output: Network):
        self.proposal = proposal
        self.refine = refine
        self.output = output

    def detect_faces(
        self,
        pixels: np.ndarray,
        min_face_size: int = 20,
        threshold_pnet: float = 0.6,
        threshold_rnet: float = 0.7,
        threshold_onet: float = 0.8,
    ) -> list[dict]:
        """The faces of a picture (H, W, 3) uint8, as ``mtcnn.MTCNN.detect_faces(fit_to_image=False)`` gives them.

        Returns:
            For each: ``box`` [left, top, width, height] and ``keypoints`` (name to [x, y]) in whole pixels, and
            ``confidence``, 0 to 1.
        """
        picture = (pixels.astype(np.float32) - 127.5) / 128
        boxes, scores = self._proposed(picture, min_face_size, threshold_pnet)
        if not len(boxes):
            return []
        outputs = self._judged(self.refine, picture, boxes, 24)
        keep = outputs["faces"][:, 1] > threshold_rnet
        boxes, scores = moved(boxes, outputs["boxes"])[keep], outputs["faces"][keep, 1].astype(float)
        keep = suppressed(boxes, scores, 0.7)
        boxes = squared(boxes[keep])
        if not len(boxes):
            return []
        outputs = self._judged(self.output, picture, boxes, 48)
        points = placed(outputs["landmarks"], boxes)
        scores, boxes = outputs["faces"][:, 1].astype(float), moved(boxes, outputs["boxes"])
        sure = np.flatnonzero(scores > threshold_onet)
        order = sure[suppressed(boxes[sure], scores[sure], 0.7)]
        return [_item(boxes[row], points[row], scores[row]) for row in order]

    def _proposed(self, picture: np.ndarray, min_face_size: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """What the first network takes for faces: squares (N, 4) and scores (N,)."""
        turned = np.ascontiguousarray(picture.transpose(0, 2, 1))
        found = [self._level(turned, scale, threshold) for scale in pyramid(min(picture.shape[:2]), min_face_size)]
        boxes = np.concatenate([level[0] for level in found]) if found else np.empty((0, 4))
        scores = np.concatenate([level[1] for level in found]) if found else np.empty(0)
        keep = suppressed(boxes, scores, 0.7)
        return squared(boxes[keep]), scores[keep]

    def _level(self, turned: np.ndarray, scale: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and scores of one level of the pyramid of a picture (H, 3, W), in its pixels."""
        outputs = self.proposal(area_resized(turned, scale)[None])
        probabilities = outputs["faces"][0, 1]
        rows, columns = np.nonzero(probabilities > threshold)
        scores = probabilities[rows, columns].astype(float)
        corners = STRIDE * np.stack([columns, rows, columns, rows], axis=1) + [1, 1, SMALLEST_SIDE, SMALLEST_SIDE]
        boxes = (corners + outputs["boxes"][0][:, rows, columns].T * (SMALLEST_SIDE - 1.0)) / scale
        keep = suppressed(boxes, scores, 0.5)
        return boxes[keep], scores[keep]

    def _judged(self, network: Network, picture: np.ndarray, boxes: np.ndarray, size: int) -> dict[str, np.ndarray]:
        """A network's answers on what lies in boxes (N, 4), some hundred at once."""
        parts = []
        for start in range(0, len(boxes), PATCHES_AT_ONCE):
            batch = patches(picture, boxes[start : start + PATCHES_AT_ONCE], size)
            # Of few sizes: an engine prepares itself anew for each, which takes longer than some rows too many.
            more = -len(batch) % 16 if len(batch) > 4 else 0
            outputs = network(np.concatenate([batch, np.repeat(batch[-1:], more, axis=0)]) if more else batch)
            parts.append({name: values[: len(batch)] for name, values in outputs.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def pyramid(smallest: int, min_face_size: int) -> list[float]:
    """The scales at which faces from that size on are looked for in a picture whose shorter side is given.

    They are the package's. A scale at which the picture would be smaller than what the first network takes is left out;
    the package fails.
    """
    count = round(-(float(np.log(smallest / SMALLEST_SIDE) / np.log(SCALE_FACTOR)) + 1))
    scales = [SMALLEST_SIDE / min_face_size * SCALE_FACTOR**step for step in range(count)]
    return [scale for scale in scales if int(smallest * scale) >= SMALLEST_SIDE]


def area_resized(rows: np.ndarray, scale: float) -> np.ndarray:
    """(H, 3, W) float32 scaled down to (3, h, w), each pixel the mean of the area it covers: ``tf.image.resize(…,
    "area")``."""
    height, _, width = rows.shape
    high, wide = int(height * scale), int(width * scale)
    lower = np.empty((high, 3 * width), np.float32)
    for new, old, weights in bands(height, high, 3 * width):
        np.matmul(weights, rows[old].reshape(-1, 3 * width), out=lower[new])
    lower = lower.reshape(3 * high, width)
    smaller = np.empty((3 * high, wide), np.float32)
    for new, old, weights in bands(width, wide, 3 * high):
        np.matmul(lower[:, old], weights.T, out=smaller[:, new])
    return np.ascontiguousarray(smaller.reshape(high, 3, wide).transpose(1, 0, 2))


@functools.lru_cache(maxsize=256)  # photos of one size share them; some ten kilobytes each
def bands(old: int, new: int, across: int) -> tuple[tuple[slice, slice, np.ndarray], ...]:
    """How a side of ``old`` pixels shrinks to ``new``: some new ones, the old ones they cover, and how much of each.

    A new pixel's weights, (new, old) float32, sum to 1. Only so many at once that multiplying ``across`` pixels by them
    is work for one thread.
    """
    scale = np.float32(old / new)
    step = max(int((MULTIPLIED_AT_ONCE / (scale * across)) ** 0.5), 1)
    made = []
    for first in range(0, new, step):
        last = min(first + step, new)
        low, high = max(first * old // new - 1, 0), min(-(-last * old // new) + 1, old)
        starts, pixels = np.arange(first, last + 1, dtype=np.float32) * scale, np.arange(low, high, dtype=np.float32)
        covered = np.minimum(pixels + 1, starts[1:, None]) - np.maximum(pixels, starts[:-1, None])
        made.append((slice(first, last), slice(low, high), np.maximum(covered, 0) / scale))
    return tuple(made)


def patches(picture: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """(N, size, size, 3) float32: what lies in boxes (N, 4), read bilinearly, 0 outside the picture.

    A box's corners are taken as fractions of the picture's sides, of which the last pixel is the end, as
    ``tf.image.crop_and_resize`` does.
    """
    height, width = picture.shape[:2]
    steps = np.arange(size, dtype=np.float32) / np.float32(size - 1)

    def along(low: np.ndarray, high: np.ndarray, side: int) -> tuple:
        first, last = (((end / side).astype(np.float32) * np.float32(side - 1))[:, None] for end in (low, high))
        at = first + steps * (last - first)
        inside = (at >= 0) & (at <= side - 1)
        before = np.floor(np.clip(at, 0, side - 1))
        share = np.where(inside, at - before, 0).astype(np.float32)
        pixel = before.astype(np.int64)
        return pixel, np.minimum(pixel + 1, side - 1), share, inside

    left, right, across, inside_x = along(boxes[:, 0], boxes[:, 2], width)
    top, bottom, down, inside_y = along(boxes[:, 1], boxes[:, 3], height)
    pixels = picture.reshape(-1, 3)

    def row(y: np.ndarray) -> np.ndarray:
        """The pixels of rows ``y`` (N, size), read between the columns."""
        start = y[:, :, None] * width
        first = pixels.take(start + left[:, None, :], axis=0)
        second = pixels.take(start + right[:, None, :], axis=0)
        second -= first
        second *= across[:, None, :, None]
        second += first
        return second

    upper, values = row(top), row(bottom)
    values -= upper
    values *= down[:, :, None, None]
    values += upper
    values[~(inside_y[:, :, None] & inside_x[:, None, :])] = 0
    return values


def suppressed(boxes: np.ndarray, scores: np.ndarray, most: float) -> np.ndarray:
    """Rows, the surest first, of those boxes (N, 4) that overlap no surer one by more than ``most``.

    The overlap is that of intersection over union. A box that goes itself still suppresses others, as in the package.
    """
    order = np.argsort(scores)[::-1]
    boxes = boxes[order]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = np.ones(len(boxes), bool)
    for start in range(0, len(boxes), OVERLAPS_AT_ONCE):  # a few columns at a time: a crowd has thousands of boxes
        some = slice(start, start + OVERLAPS_AT_ONCE)
        surer = boxes[: start + OVERLAPS_AT_ONCE, None]
        low, high = np.maximum(surer[..., :2], boxes[None, some, :2]), np.minimum(surer[..., 2:], boxes[None, some, 2:])
        shared = np.maximum(high - low, 0).prod(axis=2)
        overlap = shared / (areas[: start + OVERLAPS_AT_ONCE, None] + areas[None, some] - shared)
        rows, columns = np.arange(len(surer))[:, None], np.arange(start, start + shared.shape[1])[None]
        kept[some] = ~((overlap > most) & (rows < columns)).any(axis=0)
    return order[kept]


def squared(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) widened to squares about their middles."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    side = sizes.max(axis=1, keepdims=True, initial=0)
    corners = boxes[:, :2] + (sizes - side) * 0.5
    return np.concatenate([corners, corners + side], axis=1)


def moved(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) moved by offsets that are fractions of their sizes."""
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.tile(sizes, (1, 2))


def placed(landmarks: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N, 2, 5) in pixels: landmarks (N, 10), first all x and then all y as fractions of the boxes' sizes."""
    sizes = boxes[:, 2:] - boxes[:, :2] + 1
    return sizes[:, :, None] * landmarks.reshape(-1, 2, 5) + boxes[:, :2, None] - 1


def _item(box: np.ndarray, points: np.ndarray, score: float) -> dict:
    left, top, right, bottom = box
    keypoints = {name: [round(float(x)), round(float(y))] for name, x, y in zip(LANDMARKS, *points, strict=True)}
    numbers = [round(float(value)) for value in (left, top, right - left, bottom - top)]
    return {"box": numbers, "keypoints": keypoints, "confidence": float(score)}
