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
    mask = PIL.Image.new("L", image.size)
    axes = (0.31 / size, 0.43 / size)
    corners = [
        (centre + sign * axis) * side
        for sign in (-1, 1)
        for centre, axis, side in zip((0.5, 0.55), axes, image.size, strict=True)
    ]
    PIL.ImageDraw.Draw(mask).ellipse(corners, fill=255)
    return PIL.Image.composite(image, PIL.Image.new("RGB", image.size, tuple(colour)), mask)


CHANGES: dict[str, Callable[..., PIL.Image.Image]] = {
    change.__name__: change
    for change in (
        blur, brightness, contrast, saturation, jpeg, pixels, tilt, mirror, margin, squeeze,
        cover_left, cover_lower, cover_eyes, cover_mouth, hide_surround,
    )
}  # fmt: skip
UNCHANGED: dict[str, float] = {
    "blur": 0, "brightness": 1, "contrast": 1, "saturation": 1, "jpeg": 100, "pixels": 0, "tilt": 0, "mirror": 0,
    "margin": 0, "squeeze": 1, "cover_left": 0, "cover_lower": 0, "cover_eyes": 0, "cover_mouth": 0, "hide_surround": 0,
}  # fmt: skip
