"""Augmentation of training chips: uint8 RGB in, uint8 RGB of the same size out. Never used elsewhere.

The ranges come from the recipe. They stand for what a photo does to a face between the dataset and the user:
how a detector's crop wanders, heads that turn, light, poor cameras and compression, things in front of the face,
and surroundings that tell nothing. What is measured afterwards (``train/measure/robustness.toml``) uses other
shapes and colours than these.
"""

import dataclasses

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFilter

from hf_model.changes import brightness, contrast, jpeg, pixels, saturation, warp

# Colours that the measured changes use; a random one is drawn until it is far from them.
MEASURED_COLOURS = np.array([(0, 0, 0), (0, 128, 128), (128, 128, 128)])


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Ranges; 0 switches a change off.

    ``rotation`` in degrees; ``shift`` and ``scale`` as fractions of the side; ``shear`` and ``perspective`` as
    fractions of the side that an edge is moved by; ``squeeze``: the probability of narrowing the picture to
    0.55 to 0.95 of its width; ``brightness``, ``contrast``, ``saturation``, ``gamma`` and ``cast`` (of each
    colour) as fractions around 1, each applied to half of the chips; ``camera``: the probability of a poor
    camera's chain (shrunk to 24 to 64 pixels, noise, JPEG, enlarged); ``surround``: of hiding what lies around
    the face; ``halves``: of covering a side, the brow or the lower face; the others are probabilities too.
    """

    flip: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    squeeze: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    gamma: float = 0.0
    cast: float = 0.0
    side_light: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    jpeg: float = 0.0
    camera: float = 0.0
    surround: float = 0.0
    halves: float = 0.0
    erase: float = 0.0


def augment(
    chip: np.ndarray, ranges: Augmentation, random: np.random.Generator, other: np.ndarray | None = None
) -> PIL.Image.Image:
    """One random variant of a (S, S, 3) uint8 chip, of the same size; ``other`` is a chip that may cover parts of it."""
    if random.random() < ranges.flip:
        chip = chip[:, ::-1]
    image = PIL.Image.fromarray(np.ascontiguousarray(chip))
    if random.random() < ranges.surround:
        image = _hide_surround(image, random, other)
    image = _move(image, ranges, random)
    if random.random() < ranges.halves:
        image = PIL.Image.composite(_filling(image, random, other), image, _half(image, random))
    image = _light(image, ranges, random)
    if random.random() < ranges.blur:
        image = image.filter(PIL.ImageFilter.BoxBlur(random.uniform(0.5, 4.0)))
    if random.random() < ranges.camera:
        image = _camera(image, random)
    elif random.random() < ranges.jpeg:
        image = jpeg(image, int(random.integers(12, 85)))
    if random.random() < ranges.erase:
        _erase(image, random)
    return image


def _move(image: PIL.Image.Image, ranges: Augmentation, random: np.random.Generator) -> PIL.Image.Image:
    """Rotation, scale, shift, squeeze, shear and perspective in one bilinear warp, the border repeated."""
    if not any((ranges.rotation, ranges.shift, ranges.scale, ranges.shear, ranges.perspective, ranges.squeeze)):
        return image
    side = image.width
    angle = np.deg2rad(random.uniform(-ranges.rotation, ranges.rotation))
    zoom = 1 + random.uniform(-ranges.scale, ranges.scale)
    narrow = 1 / random.uniform(0.55, 0.95) if random.random() < ranges.squeeze else 1.0
    dx, dy = random.uniform(-ranges.shift, ranges.shift, 2) * side
    shear_x, shear_y = random.uniform(-ranges.shear, ranges.shear, 2)
    tilt_x, tilt_y = random.uniform(-ranges.perspective, ranges.perspective, 2) / side
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    turned = np.array([[cos, -sin, dx], [sin, cos, dy], [0, 0, 1]])
    bent = np.array([[narrow, shear_x, 0], [shear_y, 1, 0], [tilt_x, tilt_y, 1]])
    return warp(image, turned @ bent)


def _light(image: PIL.Image.Image, ranges: Augmentation, random: np.random.Generator) -> PIL.Image.Image:
    """Brightness, contrast, saturation, gamma, a colour cast, light from one side, grey."""
    for factor, change in (
        (ranges.brightness, brightness),
        (ranges.contrast, contrast),
        (ranges.saturation, saturation),
    ):
        if factor and random.random() < 0.5:
            image = change(image, 1 + random.uniform(-factor, factor))
    gains = np.ones(3)
    gamma = 1.0
    if ranges.cast and random.random() < 0.5:
        gains = 1 + random.uniform(-ranges.cast, ranges.cast, 3)
    if ranges.gamma and random.random() < 0.5:
        gamma = float(np.exp(random.uniform(-1, 1) * np.log1p(ranges.gamma)))
    if gamma != 1 or (gains != 1).any():
        steps = (np.arange(256) / 255) ** gamma
        image = image.point([round(min(255 * gain * step, 255)) for gain in gains for step in steps])
    if random.random() < ranges.side_light:
        image = _side_light(image, random)
    if random.random() < ranges.grey:
        image = saturation(image, 0)
    return image


def _side_light(image: PIL.Image.Image, random: np.random.Generator) -> PIL.Image.Image:
    """Darker towards one side."""
    values = np.asarray(image).astype(np.float32)
    direction = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : values.shape[0] * 1j, -1 : 1 : values.shape[1] * 1j]
    ramp = (x * np.cos(direction) + y * np.sin(direction)) * random.uniform(0.5, 2.0)
    dark = random.uniform(0.15, 0.7)
    return PIL.Image.fromarray((values * (1 - dark / (1 + np.exp(-3 * ramp)))[..., None]).clip(0, 255).astype(np.uint8))


def _camera(image: PIL.Image.Image, random: np.random.Generator) -> PIL.Image.Image:
    """What a small picture of a poor camera keeps of a face."""
    side = int(np.exp(random.uniform(np.log(24), np.log(64))))
    if random.random() < 0.5:
        small = np.asarray(image.resize((side, side), PIL.Image.Resampling.BOX)).astype(np.float32)
        noisy = small + random.normal(0, random.uniform(2, 14), small.shape)
        image = PIL.Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).resize(
            image.size, PIL.Image.Resampling.BILINEAR
        )
    return pixels(image, side, int(random.integers(25, 96)))


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    while True:
        colour = random.integers(0, 256, 3)
        if np.abs(MEASURED_COLOURS - colour).sum(axis=1).min() > 60:
            return tuple(int(value) for value in colour)


def _filling(image: PIL.Image.Image, random: np.random.Generator, other: np.ndarray | None) -> PIL.Image.Image:
    """What covers: one colour, noise, another chip, or the picture's own colours smeared."""
    kind = random.integers(4)
    if kind == 0 or (kind == 2 and other is None):
        return PIL.Image.new("RGB", image.size, _colour(random))
    if kind == 1:
        coarse = random.integers(0, 256, (int(random.integers(3, 40)),) * 2 + (3,), dtype=np.uint8)
        return PIL.Image.fromarray(coarse).resize(image.size, PIL.Image.Resampling.BILINEAR)
    source = image if kind == 3 or other is None else PIL.Image.fromarray(np.ascontiguousarray(other[::-1]))
    return source.filter(PIL.ImageFilter.BoxBlur(random.uniform(10, 40)))


def _hide_surround(image: PIL.Image.Image, random: np.random.Generator, other: np.ndarray | None) -> PIL.Image.Image:
    """All but a superellipse about the face, or all but its middle columns and rows, filled."""
    side = image.width
    x, y = random.uniform(0.45, 0.55), random.uniform(0.48, 0.58)
    across, down = random.uniform(0.28, 0.42), random.uniform(0.36, 0.52)
    power = random.uniform(2.4, 5.0) if random.random() < 0.8 else 20.0
    rows, columns = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    inside = np.abs((columns - x) / across) ** power + np.abs((rows - y) / down) ** power <= 1
    mask = PIL.Image.fromarray((255 * inside).astype(np.uint8))
    if random.random() < 0.5:
        mask = mask.filter(PIL.ImageFilter.BoxBlur(random.uniform(1, 8)))
    return PIL.Image.composite(image, _filling(image, random, other), mask)


def _half(image: PIL.Image.Image, random: np.random.Generator) -> PIL.Image.Image:
    """A mask over a slanted side, the brow or the lower face."""
    side = image.width
    mask = PIL.Image.new("L", image.size)
    far, slant = 2 * side, random.uniform(-0.25, 0.25) * side
    kind = random.integers(4)
    edge = side * (random.uniform(0.3, 0.58) if kind < 2 else random.uniform(0.2, 0.42))
    points = [(-far, -far), (edge + slant, -far / 8), (edge - slant, side + far / 8), (-far, side + far)]
    if kind in (1, 3):
        points = [(side - 1 - along, across) for along, across in points]
    if kind >= 2:  # from above (brow) or below
        points = [(across, along) for along, across in points]
    PIL.ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask


def _erase(image: PIL.Image.Image, random: np.random.Generator) -> None:
    """Pastes a flat rectangle over a part of the face, half the time over its lower third (a mask)."""
    side = image.size[0]
    if random.random() < 0.5:
        top = int(side * random.uniform(0.55, 0.75))
        box = (0, top, side, side)
    else:
        width, height = (random.uniform(0.15, 0.4, 2) * side).astype(int)
        left, top = int(random.uniform(0, side - width)), int(random.uniform(0, side - height))
        box = (left, top, left + int(width), top + int(height))
    image.paste(_colour(random), box)
