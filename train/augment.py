"""Augmentation of training chips: uint8 RGB in, uint8 RGB of the same size out. Never used elsewhere.

The ranges come from the recipe. They stand for what a photo does to a face between the dataset and
the user: how a detector's crop wanders (shift, scale), mild pose and lighting, poor cameras and
compression, and things in front of the face.
"""

import dataclasses
import io

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageFilter


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Ranges; 0 switches a change off.

    ``rotation`` in degrees, ``shift`` and ``scale`` as fractions of the side, ``brightness``,
    ``contrast`` and ``saturation`` as fractions around 1, the others are probabilities.
    """

    flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0
    erase: float = 0.0


def augment(chip: np.ndarray, ranges: Augmentation, random: np.random.Generator) -> PIL.Image.Image:
    """One random variant of a (S, S, 3) uint8 chip, of the same size."""
    if random.random() < ranges.flip:
        chip = chip[:, ::-1]
    image = _warp(chip, ranges, random)
    for factor, enhance in (
        (ranges.brightness, PIL.ImageEnhance.Brightness),
        (ranges.contrast, PIL.ImageEnhance.Contrast),
        (ranges.saturation, PIL.ImageEnhance.Color),
    ):
        if factor and random.random() < 0.5:
            image = enhance(image).enhance(1 + random.uniform(-factor, factor))
    if random.random() < ranges.grey:
        image = image.convert("L").convert("RGB")
    if random.random() < ranges.blur:
        image = image.filter(PIL.ImageFilter.BoxBlur(random.uniform(0.5, 2.5)))
    if random.random() < ranges.jpeg:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(random.integers(25, 85)))
        image = PIL.Image.open(buffer).convert("RGB")
    if random.random() < ranges.erase:
        _cover(image, random)
    return image


def _warp(chip: np.ndarray, ranges: Augmentation, random: np.random.Generator) -> PIL.Image.Image:
    """Rotation, scale and shift about the centre in one bilinear warp, the border replicated."""
    side = chip.shape[0]
    if not (ranges.rotation or ranges.shift or ranges.scale):
        return PIL.Image.fromarray(np.ascontiguousarray(chip))
    angle = np.deg2rad(random.uniform(-ranges.rotation, ranges.rotation))
    zoom = 1 + random.uniform(-ranges.scale, ranges.scale)
    dx, dy = random.uniform(-ranges.shift, ranges.shift, 2) * side
    margin = side // 4
    padded = PIL.Image.fromarray(np.pad(chip, ((margin, margin), (margin, margin), (0, 0)), mode="edge"))
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    centre = (side - 1) / 2
    # Output pixel (x, y) is read at matrix @ (x, y): rotate about the centre, then move into the padding.
    matrix = (
        cos, -sin, centre + dx + margin - cos * centre + sin * centre,
        sin, cos, centre + dy + margin - sin * centre - cos * centre,
    )  # fmt: skip
    return padded.transform((side, side), PIL.Image.Transform.AFFINE, matrix, PIL.Image.Resampling.BILINEAR)


def _cover(image: PIL.Image.Image, random: np.random.Generator) -> None:
    """Pastes a flat rectangle over a part of the face, half the time over its lower third (a mask)."""
    side = image.size[0]
    if random.random() < 0.5:
        top = int(side * random.uniform(0.55, 0.75))
        box = (0, top, side, side)
    else:
        width, height = (random.uniform(0.15, 0.4, 2) * side).astype(int)
        left, top = int(random.uniform(0, side - width)), int(random.uniform(0, side - height))
        box = (left, top, left + int(width), top + int(height))
    image.paste(tuple(int(value) for value in random.integers(0, 256, 3)), box)
