"""Augmentation of training chips: (S, S, 3) uint8 RGB in, the same out. Never used elsewhere.

The ranges come from the recipe. They stand for what a photo does to a face between the dataset and the user:
how a detector's crop wanders, heads that turn, light, poor cameras and compression, things in front of the face,
and surroundings that tell nothing. What is measured afterwards (``train/measure/robustness.toml``) uses other
shapes and colours than these. In OpenCV, which changes a picture in a third of the time that Pillow takes.
"""

import dataclasses

import cv2
import numpy as np

from train.recipe import STRONG, Augmentation

# Colours that the measured changes use; a random one is drawn until it is far from them.
MEASURED_COLOURS = np.array([(0, 0, 0), (0, 128, 128), (128, 128, 128)])
# One thread a picture: the cores belong to the training step.
cv2.setNumThreads(0)


def augment(
    chip: np.ndarray, ranges: Augmentation, random: np.random.Generator, other: np.ndarray | None = None
) -> np.ndarray:
    """One random variant of a (S, S, 3) uint8 chip, of the same size; ``other`` is a chip that may cover parts of
    it."""
    if random.random() >= ranges.strong:
        ranges = dataclasses.replace(ranges, **dict.fromkeys(STRONG, 0.0))
    image = chip[:, ::-1] if random.random() < ranges.flip else chip
    image = np.ascontiguousarray(image)
    if random.random() < ranges.surround:
        image = _mix(_filling(image, random, other), image, _surround(image, random))
    image = _move(image, ranges, random)
    if random.random() < ranges.halves:
        image = _mix(image, _filling(image, random, other), _half(image, random))
    if random.random() < ranges.cover:
        image = _mix(image, _filling(image, random, other), _part(image, random))
    image = _light(image, ranges, random)
    if random.random() < ranges.blur:
        width = 2 * int(random.integers(1, 5)) + 1
        image = cv2.blur(image, (width, width), borderType=cv2.BORDER_REPLICATE)
    if random.random() < ranges.camera:
        image = _camera(image, random)
    elif random.random() < ranges.jpeg:
        image = _jpeg(image, int(random.integers(12, 85)))
    if random.random() < ranges.erase:
        image = _erase(image, random)
    return image


def _move(image: np.ndarray, ranges: Augmentation, random: np.random.Generator) -> np.ndarray:
    """Rotation, scale, shift, squeeze, shear and perspective in one bilinear warp, the border repeated."""
    if not any((ranges.rotation, ranges.shift, ranges.scale, ranges.shear, ranges.perspective, ranges.squeeze)):
        return image
    side = image.shape[1]
    angle = np.deg2rad(random.uniform(-ranges.rotation, ranges.rotation))
    zoom = 1 + random.uniform(-ranges.scale, ranges.scale)
    narrow = 1 / random.uniform(0.55, 0.95) if random.random() < ranges.squeeze else 1.0
    dx, dy = random.uniform(-ranges.shift, ranges.shift, 2) * side
    shear_x, shear_y = random.uniform(-ranges.shear, ranges.shear, 2)
    tilt_x, tilt_y = random.uniform(-ranges.perspective, ranges.perspective, 2) / side
    cos, sin = np.cos(angle) * zoom, np.sin(angle) * zoom
    turned = np.array([[cos, -sin, dx], [sin, cos, dy], [0, 0, 1]])
    bent = np.array([[narrow, shear_x, 0], [shear_y, 1, 0], [tilt_x, tilt_y, 1]])
    middle = (side - 1) / 2
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = middle, -middle
    # From a place in the result to the place in the picture that is seen there.
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (side, side)
    return cv2.warpPerspective(image, there @ turned @ bent @ back, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _light(image: np.ndarray, ranges: Augmentation, random: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, gamma, a cast or a strong tint, little light; saturation; light from one side; grey."""
    steps: np.ndarray = np.arange(256, dtype=np.float32)
    if ranges.brightness and random.random() < 0.5:
        steps = steps * (1 + random.uniform(-ranges.brightness, ranges.brightness))
    if ranges.contrast and random.random() < 0.5:
        mean = float(image[::4, ::4].mean())
        steps = mean + (steps - mean) * (1 + random.uniform(-ranges.contrast, ranges.contrast))
    if ranges.gamma and random.random() < 0.5:
        gamma = float(np.exp(random.uniform(-1, 1) * np.log1p(ranges.gamma)))
        steps = 255 * (steps.clip(0, 255) / 255) ** gamma
    gains = np.ones(3)
    if ranges.cast and random.random() < 0.5:
        gains = 1 + random.uniform(-ranges.cast, ranges.cast, 3)
    if random.random() < ranges.tint:
        gains = gains * random.uniform(0.25, 1.0, 3) / random.uniform(0.5, 1.0)
    is_dim = random.random() < ranges.dim
    if is_dim:
        gains = gains * random.uniform(0.12, 0.5)
    if ranges.saturation and random.random() < 0.5:
        image = _saturate(image, 1 + random.uniform(-ranges.saturation, ranges.saturation))
    table = (steps[:, None] * gains).clip(0, 255).round().astype(np.uint8)[None]
    image = cv2.LUT(image, table)
    if is_dim:
        image = _noisy(image, random.uniform(1, 6), random)
    if random.random() < ranges.side_light:
        image = _side_light(image, random)
    return _saturate(image, 0.0) if random.random() < ranges.grey else image


def _saturate(image: np.ndarray, factor: float) -> np.ndarray:
    """Distances from grey times ``factor``."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


def _noisy(image: np.ndarray, spread: float, random: np.random.Generator) -> np.ndarray:
    noise = random.standard_normal(image.shape, np.float32) * spread
    return (image + noise).clip(0, 255).astype(np.uint8)


def _side_light(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Darker towards one side."""
    side = image.shape[0]
    direction = random.uniform(0, 2 * np.pi)
    line = np.linspace(-1, 1, side, dtype=np.float32)
    ramp = (line[None] * np.cos(direction) + line[:, None] * np.sin(direction)) * random.uniform(0.5, 2.0)
    share = 1 - random.uniform(0.15, 0.7) / (1 + np.exp(-3 * ramp))
    return (image * share[..., None]).astype(np.uint8)


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    # OpenCV's encoder takes blue first; mixing the two up would move what JPEG loses between the colours.
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


def _camera(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What a small picture of a poor camera keeps of a face."""
    side = int(np.exp(random.uniform(np.log(24), np.log(64))))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    if random.random() < 0.5:
        small = _noisy(small, random.uniform(2, 14), random)
    small = _jpeg(small, int(random.integers(25, 96)))
    how = cv2.INTER_LINEAR if random.random() < 0.5 else cv2.INTER_CUBIC
    return cv2.resize(small, image.shape[1::-1], interpolation=how)


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    while True:
        colour = random.integers(0, 256, 3)
        if np.abs(MEASURED_COLOURS - colour).sum(axis=1).min() > 60:
            return tuple(int(value) for value in colour)


def _filling(image: np.ndarray, random: np.random.Generator, other: np.ndarray | None) -> np.ndarray:
    """What covers: one colour, noise, another chip (as it is or smeared), or the picture's own colours smeared."""
    kind = random.integers(5)
    if kind == 0 or (kind in (2, 4) and other is None):
        return np.full_like(image, _colour(random))
    if kind == 1:
        coarse = random.integers(0, 256, (int(random.integers(3, 40)),) * 2 + (3,), dtype=np.uint8)
        return cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if kind == 4 and other is not None:
        return np.ascontiguousarray(other[:, ::-1])
    source = image if kind == 3 or other is None else np.ascontiguousarray(other[::-1])
    width = 2 * int(random.integers(10, 40)) + 1
    return cv2.blur(source, (width, width), borderType=cv2.BORDER_REPLICATE)


def _mix(below: np.ndarray, above: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``above`` where the (S, S) mask is 255, ``below`` where it is 0."""
    share = mask[..., None].astype(np.uint16)
    return ((above * share + below * (255 - share)) // 255).astype(np.uint8)


def _surround(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A mask over a superellipse about the face, or over its middle columns and rows."""
    side = image.shape[0]
    x, y = random.uniform(0.45, 0.55), random.uniform(0.48, 0.58)
    across, down = random.uniform(0.28, 0.42), random.uniform(0.36, 0.52)
    power = random.uniform(2.4, 5.0) if random.random() < 0.8 else 20.0
    line = np.linspace(0, 1, side, dtype=np.float32)
    inside = np.abs((line[None] - x) / across) ** power + np.abs((line[:, None] - y) / down) ** power <= 1
    mask = np.where(inside, 255, 0).astype(np.uint8)
    return _softened(mask, random)


def _softened(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The edge of half of the masks is soft."""
    if random.random() < 0.5:
        width = 2 * int(random.integers(1, 9)) + 1
        mask = cv2.blur(mask, (width, width))
    return mask


def _half(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A mask over a slanted side, the brow or the lower face."""
    side = image.shape[0]
    far, slant = 2 * side, random.uniform(-0.25, 0.25) * side
    kind = random.integers(4)
    edge = side * (random.uniform(0.3, 0.58) if kind < 2 else random.uniform(0.2, 0.42))
    points = np.array([(-far, -far), (edge + slant, -far / 8), (edge - slant, side + far / 8), (-far, side + far)])
    if kind in (1, 3):
        points[:, 0] = side - 1 - points[:, 0]
    if kind >= 2:  # from above (brow) or below
        points = points[:, ::-1]
    return cv2.fillPoly(np.zeros((side, side), np.uint8), [points.round().astype(np.int32)], 255)


def _part(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A mask over mouth, eyes or forehead, where UTKFace's chips have them: a random quadrilateral or an ellipse."""
    side = image.shape[0]
    height = (0.72, 0.3, 0.1)[random.integers(3)] + random.uniform(-0.05, 0.05)
    x, y = side * (0.5 + random.uniform(-0.08, 0.08)), side * height
    across, down = side * random.uniform(0.2, 0.46), side * random.uniform(0.07, 0.22)
    mask = np.zeros((side, side), np.uint8)
    if random.random() < 0.4:
        axes = (int(across), int(down))
        cv2.ellipse(mask, (int(x), int(y)), axes, random.uniform(-15, 15), 0, 360, 255, thickness=-1)
    else:
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * random.uniform(0.65, 1.15, (4, 2))
        points = corners * (across, down) + (x, y)
        cv2.fillPoly(mask, [points.round().astype(np.int32)], 255)
    return _softened(mask, random)


def _erase(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pastes a flat rectangle over a part of the face, half the time over its lower third (a mask)."""
    side = image.shape[0]
    image = image.copy()
    if random.random() < 0.5:
        top = int(side * random.uniform(0.55, 0.75))
        left, bottom, right = 0, side, side
    else:
        width, height = (random.uniform(0.15, 0.4, 2) * side).astype(int)
        left, top = int(random.uniform(0, side - width)), int(random.uniform(0, side - height))
        right, bottom = left + int(width), top + int(height)
    image[top:bottom, left:right] = _colour(random)
    return image
