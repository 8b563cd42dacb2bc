"""Named changes of a picture, one list for training, measuring and the page.

Every change takes an RGB picture and a strength and gives a picture of the same size; the strength that
changes nothing is in ``UNCHANGED``.
"""

import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageEnhance
import PIL.ImageFilter

BILINEAR = PIL.Image.Resampling.BILINEAR
BICUBIC = PIL.Image.Resampling.BICUBIC
GREY = (128, 128, 128)
# Where eyes, nose and corners of the mouth lie in a face chip, as fractions of its side: medians over UTKFace's.
CHIP_LANDMARKS = ((0.296, 0.293), (0.691, 0.292), (0.491, 0.521), (0.317, 0.691), (0.672, 0.692))
LIGHTS = {
    "red": (1.0, 0.35, 0.3),
    "orange": (1.0, 0.65, 0.3),
    "green": (0.45, 1.0, 0.45),
    "cyan": (0.35, 0.95, 1.0),
    "blue": (0.35, 0.45, 1.0),
    "magenta": (1.0, 0.35, 0.95),
}


def blur(image: PIL.Image.Image, radius: float) -> PIL.Image.Image:
    """Gaussian blur; ``radius`` is its standard deviation in pixels."""
    return image.filter(PIL.ImageFilter.GaussianBlur(radius)) if radius > 0 else image


def brightness(image: PIL.Image.Image, factor: float) -> PIL.Image.Image:
    """Every value times ``factor``."""
    return PIL.ImageEnhance.Brightness(image).enhance(factor)


def contrast(image: PIL.Image.Image, factor: float) -> PIL.Image.Image:
    """Distances from the mean brightness times ``factor``."""
    return PIL.ImageEnhance.Contrast(image).enhance(factor)


def saturation(image: PIL.Image.Image, factor: float) -> PIL.Image.Image:
    """Distances from grey times ``factor``; 0 is a grey picture."""
    return PIL.ImageEnhance.Color(image).enhance(factor)


def jpeg(image: PIL.Image.Image, quality: float) -> PIL.Image.Image:
    """Compressed and read again at Pillow's ``quality``, 1 to 100; above 95 it is left alone."""
    if quality > 95:
        return image
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=max(round(quality), 1))
    return PIL.Image.open(buffer).convert("RGB")


def pixels(image: PIL.Image.Image, side: float, quality: float = 100) -> PIL.Image.Image:
    """Its longer side shrunk to ``side`` pixels, compressed at ``quality``, and enlarged again; 0 leaves it."""
    scale = side / max(image.size)
    if side <= 0 or scale >= 1:
        return jpeg(image, quality)
    small = image.resize([max(round(length * scale), 1) for length in image.size], BILINEAR)
    return jpeg(small, quality).resize(image.size, BICUBIC)


def tilt(image: PIL.Image.Image, degrees: float) -> PIL.Image.Image:
    """Turned counter-clockwise about its middle, what comes in from outside repeating its edge."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return warp(image, np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]))


def mirror(image: PIL.Image.Image, amount: float = 1) -> PIL.Image.Image:
    """Left and right exchanged; 0 leaves it."""
    return image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT) if amount else image


def margin(image: PIL.Image.Image, fraction: float) -> PIL.Image.Image:
    """Framed wider by a fraction of the side on every side, or tighter where it is negative; edges repeated."""
    factor = 1 + 2 * fraction
    return warp(image, np.diag([factor, factor, 1]))


def squeeze(image: PIL.Image.Image, factor: float) -> PIL.Image.Image:
    """Narrowed to ``factor`` of its width, as a head that turns away is; edges repeated."""
    return warp(image, np.diag([1 / factor, 1, 1]))


def warp(image: PIL.Image.Image, matrix: np.ndarray) -> PIL.Image.Image:
    """A projective map about the picture's middle, its edge repeated beyond it.

    Args:
        matrix: (3, 3), from a place in the result to the place in the picture that is seen there, both in
            pixels from the middle.
    """
    width, height = image.size
    corners = np.array([(x, y, 1) for x in (-width / 2, width / 2) for y in (-height / 2, height / 2)]) @ matrix.T
    reach = np.abs(corners[:, :2] / corners[:, 2:]).max(axis=0)
    pad_x, pad_y = (
        int(max(np.ceil(far - half), 0)) + 1 for far, half in zip(reach, (width / 2, height / 2), strict=True)
    )
    pad_x, pad_y = min(pad_x, 2 * width), min(pad_y, 2 * height)
    padded = np.pad(np.asarray(image), ((pad_y, pad_y), (pad_x, pad_x), (0, 0)), mode="edge")
    middle_in = np.array([[1, 0, (width - 1) / 2 + pad_x], [0, 1, (height - 1) / 2 + pad_y], [0, 0, 1]])
    middle_out = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
    whole = middle_in @ matrix @ middle_out
    # Pillow reads an output pixel at its centre, half a pixel on.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    whole = half @ whole @ np.linalg.inv(half)
    coefficients = (whole / whole[2, 2]).ravel()[:8]
    return PIL.Image.fromarray(padded).transform(
        image.size, PIL.Image.Transform.PERSPECTIVE, coefficients.tolist(), BILINEAR
    )


def cover(image: PIL.Image.Image, box: tuple[float, float, float, float], colour=GREY) -> PIL.Image.Image:
    """A flat rectangle over (left, top, right, bottom), as fractions of the sides."""
    covered = image.copy()
    left, top, right, bottom = (round(edge * side) for edge, side in zip(box, image.size * 2, strict=True))
    if right > left and bottom > top:
        covered.paste(colour, (left, top, right, bottom))
    return covered


def cover_left(image: PIL.Image.Image, fraction: float) -> PIL.Image.Image:
    """Grey over that fraction of the width, from the left."""
    return cover(image, (0, 0, fraction, 1))


def cover_lower(image: PIL.Image.Image, fraction: float) -> PIL.Image.Image:
    """Grey over that fraction of the height, from below: a mask."""
    return cover(image, (0, 1 - fraction, 1, 1))


def cover_eyes(image: PIL.Image.Image, fraction: float) -> PIL.Image.Image:
    """A grey bar as high as that fraction of the side over the eyes of a face framed as UTKFace's chips are."""
    return cover(image, (0, 0.3 - fraction / 2, 1, 0.3 + fraction / 2))


def cover_mouth(image: PIL.Image.Image, fraction: float) -> PIL.Image.Image:
    """The same over the mouth."""
    return cover(image, (0, 0.7 - fraction / 2, 1, 0.7 + fraction / 2))


def hide_surround(image: PIL.Image.Image, size: float, colour=GREY) -> PIL.Image.Image:
    """What lies outside an ellipse about the face in one colour.

    Args:
        size: 1: centre at 0.5 and 0.55 of the sides, semi-axes of 0.31 and 0.43; larger ones shrink it.
            0 leaves the picture alone.
    """
    if size <= 0:
        return image
    face = _ellipse(image.size, (0.5, 0.55), (0.31 / size, 0.43 / size))
    return PIL.Image.composite(image, PIL.Image.new("RGB", image.size, tuple(colour)), face)


def coloured_light(image: PIL.Image.Image, amount: float, colour: str = "red") -> PIL.Image.Image:
    """As a lamp of one of ``LIGHTS`` shows it, mixed by ``amount`` (0 to 1) with the picture; as bright as before."""
    if amount <= 0:
        return image
    values = np.asarray(image, np.float32)
    gains = 1 + amount * (np.array(LIGHTS[colour], np.float32) - 1)
    lit = values * gains
    lit *= values.mean() / max(float(lit.mean()), 1e-3)
    return PIL.Image.fromarray(lit.round().clip(0, 255).astype(np.uint8))


def dim(image: PIL.Image.Image, factor: float) -> PIL.Image.Image:
    """As a camera shows it in a dark room: ``factor`` of its light, and the noise that is then not small beside it."""
    if factor >= 1:
        return image
    values = np.asarray(image, np.float32) * factor
    noise = np.random.default_rng(0).normal(0, 4 * (1 - factor), values.shape)
    return PIL.Image.fromarray((values + noise).round().clip(0, 255).astype(np.uint8))


def flat(image: PIL.Image.Image, factor: float) -> PIL.Image.Image:
    """As through fog: ``factor`` of its contrast, the rest light grey."""
    return PIL.Image.blend(PIL.Image.new("RGB", image.size, (190, 190, 190)), image, min(max(factor, 0.0), 1.0))


def back_light(image: PIL.Image.Image, amount: float) -> PIL.Image.Image:
    """As before a bright window: the face darker, by up to three quarters at 1, and what is around it washed out."""
    if amount <= 0:
        return image
    mask = np.asarray(
        _ellipse(image.size, (0.5, 0.55), (0.36, 0.5)).filter(PIL.ImageFilter.GaussianBlur(image.width / 16))
    )
    inside = (mask.astype(np.float32) / 255)[..., None]
    values = np.asarray(image, np.float32)
    dark, bright = values * (1 - 0.75 * amount), values + (255 - values) * 0.85 * amount
    return PIL.Image.fromarray((inside * dark + (1 - inside) * bright).round().clip(0, 255).astype(np.uint8))


def side_light(image: PIL.Image.Image, amount: float) -> PIL.Image.Image:
    """Lit from the right alone: the left side darker, by up to nine tenths at an ``amount`` of 1."""
    if amount <= 0:
        return image
    fall = 1 - 0.9 * amount / (1 + np.exp(np.linspace(-6, 6, image.width)))
    return PIL.Image.fromarray((np.asarray(image) * fall[None, :, None]).round().clip(0, 255).astype(np.uint8))


def mask(image: PIL.Image.Image, amount: float = 1, landmarks=CHIP_LANDMARKS) -> PIL.Image.Image:
    """A drawn medical mask from the bridge of the nose to below the chin; ``amount`` of 0 leaves the picture.

    Args:
        landmarks: eyes, nose and corners of the mouth (left, right), as fractions of the sides.
    """
    if amount <= 0:
        return image
    eyes, nose, mouth, across, down = _frame(landmarks)
    middle = (eyes + nose) / 2
    points = [
        middle - 0.28 * across,
        middle + 0.05 * down,
        middle + 0.28 * across,
        nose + 0.95 * across - 0.1 * down,
        mouth + 0.85 * across + 0.25 * down,
        mouth + 0.35 * across + 0.95 * down,
        mouth - 0.35 * across + 0.95 * down,
        mouth - 0.85 * across + 0.25 * down,
        nose - 0.95 * across - 0.1 * down,
    ]
    folds = [[nose + side * 0.85 * across + shift * down for side in (-1, 1)] for shift in (0.15, 0.4, 0.65)]
    return _drawn(image, [(points, (176, 205, 220))], [(fold, (140, 172, 190)) for fold in folds])


def glasses(image: PIL.Image.Image, amount: float = 1, landmarks=CHIP_LANDMARKS) -> PIL.Image.Image:
    """Drawn sunglasses; ``amount`` of 0 leaves the picture. ``landmarks`` as for :func:`mask`."""
    if amount <= 0:
        return image
    eyes, _, _, across, down = _frame(landmarks)
    turn = np.linspace(0, 2 * np.pi, 24)
    lenses = [
        [
            eyes + side * 0.5 * across + 0.36 * np.cos(angle) * across + 0.3 * np.sin(angle) * down + 0.06 * down
            for angle in turn
        ]
        for side in (-1, 1)
    ]
    bars = [
        [eyes - 0.15 * across, eyes + 0.15 * across],
        *([eyes + side * 0.8 * across, eyes + side * 1.3 * across] for side in (-1, 1)),
    ]
    return _drawn(image, [(lens, (22, 22, 26)) for lens in lenses], [(bar, (22, 22, 26)) for bar in bars])


def cap(image: PIL.Image.Image, amount: float = 1, landmarks=CHIP_LANDMARKS) -> PIL.Image.Image:
    """A drawn cap, its visor over the forehead; ``amount`` of 0 leaves the picture. ``landmarks`` as for
    :func:`mask`."""
    if amount <= 0:
        return image
    eyes, _, _, across, down = _frame(landmarks)
    crown = [eyes + x * across + y * down for x, y in ((-1.25, -0.45), (-1.3, -3), (1.3, -3), (1.25, -0.45))]
    visor = [
        eyes + x * across + y * down
        for x, y in ((-1.3, -0.5), (-0.7, -0.75), (0.7, -0.75), (1.3, -0.5), (0.75, -0.35), (-0.75, -0.35))
    ]
    return _drawn(image, [(crown, (38, 60, 110)), (visor, (26, 42, 80))], [])


def _frame(landmarks) -> tuple[np.ndarray, ...]:
    """Middle of the eyes, nose, middle of the mouth, from eye to eye, and from the eyes' middle to the mouth's."""
    left, right, nose, *mouth = (np.array(point, float) for point in landmarks)
    eyes, middle = (left + right) / 2, (mouth[0] + mouth[1]) / 2
    return eyes, nose, middle, right - left, middle - eyes


def _drawn(image: PIL.Image.Image, shapes: list, lines: list) -> PIL.Image.Image:
    """Polygons and lines in colours, their points fractions of the sides; drawn larger and shrunk, so that edges are
    soft."""
    fine = 3
    large = image.resize((image.width * fine, image.height * fine), BICUBIC)
    draw = PIL.ImageDraw.Draw(large)
    for points, colour in shapes:
        draw.polygon([tuple(np.multiply(point, large.size).tolist()) for point in points], fill=colour)
    for points, colour in lines:
        draw.line(
            [tuple(np.multiply(point, large.size).tolist()) for point in points],
            fill=colour,
            width=max(large.width // 60, 1),
        )
    return large.resize(image.size, PIL.Image.Resampling.BOX)


def _ellipse(size: tuple[int, int], middle: tuple[float, float], axes: tuple[float, float]) -> PIL.Image.Image:
    """A white ellipse on black, by fractions of the sides."""
    drawn = PIL.Image.new("L", size)
    corners = [
        (centre + sign * axis) * side for sign in (-1, 1) for centre, axis, side in zip(middle, axes, size, strict=True)
    ]
    PIL.ImageDraw.Draw(drawn).ellipse(corners, fill=255)
    return drawn


CHANGES: dict[str, Callable[..., PIL.Image.Image]] = {
    change.__name__: change
    for change in (
        blur,
        brightness,
        contrast,
        saturation,
        jpeg,
        pixels,
        tilt,
        mirror,
        margin,
        squeeze,
        cover_left,
        cover_lower,
        cover_eyes,
        cover_mouth,
        hide_surround,
        coloured_light,
        dim,
        flat,
        back_light,
        side_light,
        mask,
        glasses,
        cap,
    )
}
UNCHANGED: dict[str, float] = {
    "blur": 0,
    "brightness": 1,
    "contrast": 1,
    "saturation": 1,
    "jpeg": 100,
    "pixels": 0,
    "tilt": 0,
    "mirror": 0,
    "margin": 0,
    "squeeze": 1,
    "cover_left": 0,
    "cover_lower": 0,
    "cover_eyes": 0,
    "cover_mouth": 0,
    "hide_surround": 0,
    "coloured_light": 0,
    "dim": 1,
    "flat": 1,
    "back_light": 0,
    "side_light": 0,
    "mask": 0,
    "glasses": 0,
    "cap": 0,
}
