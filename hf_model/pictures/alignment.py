"""Cutting a face out of a photo the way UTKFace's chips were cut: shifted, scaled and turned until the eyes are
level."""

import dataclasses
import math

import numpy as np
import PIL.Image

from ..portable import Portable
from .colours import keep_profile, to_srgb

BILINEAR = PIL.Image.Resampling.BILINEAR
# A picture is sampled at its own resolution or finer and then shrunk by an antialiasing filter; from this many times
# the wanted size on it is first averaged in whole blocks, which is as good there and much faster.
BLOCKS_FROM = 4
FINENESS = 10  # of the grid that squares are laid on: 2 to that of steps along a side, at most twice as many
TURNS = 8  # and so many to a degree


@dataclasses.dataclass(frozen=True)
class Square(Portable):
    """A square that lies anyhow on an image: centre ``x``, ``y`` and ``side`` in pixels.

    ``roll``: degrees by which its own right-hand direction is turned clockwise, as seen, from the image's.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0

    def snapped(self) -> "Square":
        """The nearest square on a grid of a thousandth of a side and an eighth of a degree.

        Landmarks come out of a network in the last digits of float32, in which engines and machines differ. What is cut
        from a snapped square does not, and neither does an answer in int8, which a single pixel one step brighter can
        move.
        """
        step = 2.0 ** (math.floor(math.log2(self.side)) - FINENESS)
        x, y, side = (math.floor(value / step + 0.5) * step for value in (self.x, self.y, self.side))
        return Square(x, y, side, math.floor(self.roll * TURNS + 0.5) / TURNS)

    def axes(self) -> np.ndarray:
        """(2, 2): where one side to the square's right, and one downwards, lead on the image."""
        along = np.array([math.cos(math.radians(self.roll)), math.sin(math.radians(self.roll))])
        return self.side * np.array([along, [-along[1], along[0]]])

    def place(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) places in the square, as fractions of its side from the left and top, on the image."""
        return (np.asarray(points) - 0.5) @ self.axes() + (self.x, self.y)

    def find(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) places on the image in the square, as fractions of its side from the left and top."""
        return (np.asarray(points) - (self.x, self.y)) @ self.axes().T / self.side**2 + 0.5

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what it covers."""
        corners = self.place(np.array([(0, 0), (1, 0), (0, 1), (1, 1)]))
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def touches(self, width: int, height: int) -> bool:
        """Whether it may cover some of an image of that size."""
        left, top, right, bottom = self.bounds()
        return left < width and top < height and right > 0 and bottom > 0

    def outside(self, width: int, height: int) -> float:
        """The share of it that lies beyond an image of that size, 0 to 1, to a hundredth."""
        left, top, right, bottom = self.bounds()
        if left >= 0 and top >= 0 and right <= width and bottom <= height:
            return 0.0
        steps = (np.arange(50) + 0.5) / 50
        x, y = self.place(np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)).T
        return float(1 - np.mean((x >= 0) & (y >= 0) & (x < width) & (y < height)))


def cut(image: PIL.Image.Image, square: Square, size: int) -> PIL.Image.Image:
    """What an RGB image shows in a square that touches it, (size, size), antialiased, in sRGB; beyond it its edge is
    repeated."""
    fine = square.side / size
    blocks = max(int(fine / (BLOCKS_FROM / 2)), 1) if fine >= BLOCKS_FROM else 1
    left, top, right, bottom = square.bounds()
    margin = 2 * blocks
    box = (math.floor(left) - margin, math.floor(top) - margin, math.ceil(right) + margin, math.ceil(bottom) + margin)
    inside = (max(box[0], 0), max(box[1], 0), min(box[2], image.width), min(box[3], image.height))
    seen = image.crop(inside)
    if blocks > 1:
        seen = seen.reduce(blocks)
    if seen.width * seen.height < size * size:  # colours are converted where there are fewer pixels
        seen = to_srgb(seen)
    padding = [max(math.ceil(far / blocks), 0) for far in np.abs(np.subtract(box, inside))]
    if any(padding):
        pads = ((padding[1], padding[3]), (padding[0], padding[2]), (0, 0))
        seen = keep_profile(seen, PIL.Image.fromarray(np.pad(np.asarray(seen), pads, mode="edge")))
    origin = np.subtract(inside[:2], np.multiply(padding[:2], blocks))
    x, y = (np.array([square.x, square.y]) - origin) / blocks
    across, down = square.axes() / blocks
    samples = size * max(math.ceil(fine / blocks - 1e-9), 1)
    corner = np.array([x, y]) - (across + down) / 2
    (a, d), (b, e) = across / samples, down / samples
    # Pillow reads an output pixel at its centre and puts it on the input's grid likewise.
    matrix = (a, b, corner[0], d, e, corner[1])
    sampled = seen.transform((samples, samples), PIL.Image.Transform.AFFINE, matrix, BILINEAR)
    small = sampled if samples == size else sampled.resize((size, size), BILINEAR)
    return to_srgb(keep_profile(seen, small))
