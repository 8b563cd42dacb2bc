"""Reading pictures: whatever a user hands over becomes upright RGB, or a clear error."""

import contextlib
import functools
import io
import os
from collections.abc import Sequence

import numpy as np
import PIL.ExifTags
import PIL.Image

from .colours import UnusablePixels, to_rgb, to_srgb
from .grey import note_significant_bits
from .inputs import InvalidImageError, content_of, describe
from .png_text import without_text

try:
    import pillow_heif

    pillow_heif.register_heif_opener()
    READS_HEIC = True
except ImportError:  # optional: without it an HEIC photo is refused like any unknown format
    READS_HEIC = False

# Bytes 4 to 12 of what phones write, by ISO/IEC 23008-12.
HEIC_STARTS = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1")

# How a picture is brought upright by its EXIF orientation.
UPRIGHT = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}

HEIF_ENDINGS = {".heic", ".heif"}  # known even where they cannot be read: that is said then, and how


def picture_endings(formats: Sequence[str] | None) -> set[str]:
    """The endings of the names of picture files of some of Pillow's formats (None: of all), with their dot, in lower
    case."""
    endings = PIL.Image.registered_extensions().items()
    known = {ending for ending, format in endings if formats is None or format in formats}
    return known | (HEIF_ENDINGS if formats is None or "HEIF" in formats else set())


@functools.cache
def _installed(formats: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Those of some formats that Pillow reads here: HEIF wants a package, AVIF a library."""
    PIL.Image.init()
    return formats and tuple(format for format in formats if format in PIL.Image.OPEN)


def read_image(image, max_pixels: int, formats: Sequence[str] | None = None) -> PIL.Image.Image:
    """An upright RGB picture in sRGB from a path, bytes, binary file, PIL image or uint8 array.

    EXIF orientation is applied; of an animation's file the first frame is taken, of a PIL picture that where it stands;
    transparency is laid on white; grey of 9 to 16 bits becomes one of 8, see
    :func:`hf_model.pictures.grey.grey_to_8_bits`; the colours become sRGB's by the ICC profile that is in the file, see
    :mod:`hf_model.pictures.colours`. Arrays are grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4). That the colours of an
    array lie in the order blue, green, red, as OpenCV reads them, cannot be seen: such an array is misread unless it is
    given as ``array[..., ::-1]``.

    Args:
        image: the input.
        max_pixels: larger pictures are refused before they are decoded.
        formats: of files that are read, by Pillow's names; None for all that it knows.

    Raises:
        InvalidImageError: not a picture, of another format, broken, empty, too large, or an array of another kind.
    """
    picture = to_srgb(read_in_own_colours(image, max_pixels, formats))
    picture.info = {}  # whoever saves it does not save the place where it was taken
    return picture


def read_in_own_colours(image, max_pixels: int, formats: Sequence[str] | None = None) -> PIL.Image.Image:
    """As :func:`read_image`, its colours those of the profile it carries: for who calls
    :func:`hf_model.pictures.colours.to_srgb` once it is smaller.

    Raises:
        InvalidImageError: as :func:`read_image` does.
    """
    source = describe(image)
    if isinstance(image, np.ndarray):
        return _from_array(image, source, max_pixels)
    if isinstance(image, PIL.Image.Image):
        upright = _upright_rgb(image, source, max_pixels)
        return upright.copy() if upright is image else upright
    data = content_of(image, source)
    try:
        try:
            return _decoded(data, source, max_pixels, formats)
        except ValueError as error:
            cut = without_text(data) if "MAX_TEXT" in str(error) else None  # Pillow's limits on a PNG file's text
            if cut is None:
                raise
            return _decoded(cut, source, max_pixels, formats)
    except InvalidImageError:
        raise
    except PIL.UnidentifiedImageError:
        if not READS_HEIC and data[4:12] in HEIC_STARTS:
            raise InvalidImageError(source, "is an HEIC picture: pip install pillow-heif to read it") from None
        raise InvalidImageError(source, "not a picture in a known format") from None
    except PIL.Image.DecompressionBombError:
        raise InvalidImageError(source, f"more than {max_pixels / 1e6:.0f} megapixels; make it smaller first") from None
    except Exception as error:  # Pillow's decoders raise many kinds; each means: not a whole picture
        raise InvalidImageError(source, f"broken or incomplete picture ({error})") from None


def _decoded(data: bytes, source: str, max_pixels: int, formats: Sequence[str] | None) -> PIL.Image.Image:
    with PIL.Image.open(io.BytesIO(data), formats=_installed(formats and tuple(formats))) as opened:
        return _upright_rgb(opened, source, max_pixels)


def read_reduced(
    image, max_pixels: int, least_side: int, formats: Sequence[str] | None = None
) -> tuple[PIL.Image.Image, tuple[int, int]]:
    """A picture as :func:`read_in_own_colours` reads it, or smaller, where its decoder reads a smaller one faster, as
    JPEG's does.

    Args:
        image: the input.
        max_pixels: as for :func:`read_image`, of the whole picture.
        least_side: its longer side keeps at least so many pixels.
        formats: as for :func:`read_image`.

    Returns:
        The picture, and the size of the whole one, upright.

    Raises:
        InvalidImageError: as :func:`read_image` does.
    """
    if isinstance(image, (str, os.PathLike, bytes)):
        source = describe(image)
        known = _installed(formats and tuple(formats))
        with (
            contextlib.suppress(Exception),
            PIL.Image.open(io.BytesIO(content_of(image, source)), formats=known) as opened,
        ):
            width, height = opened.size
            _check_size(width, height, source, max_pixels)
            factor = next((factor for factor in (8, 4, 2) if max(width, height) >= factor * least_side), 1)
            if factor > 1 and opened.draft("RGB", (width // factor, height // factor)):
                upright = _upright_rgb(opened, source, max_pixels)
                turned = (upright.width > upright.height) != (width > height)
                return upright, (height, width) if turned else (width, height)
    upright = read_in_own_colours(image, max_pixels, formats)  # and says what is wrong with it
    return upright, upright.size


def _from_array(array: np.ndarray, source: str, max_pixels: int) -> PIL.Image.Image:
    if array.dtype != np.uint8:
        reason = "pass uint8 values from 0 to 255"
        if array.dtype.kind == "f":
            from_1 = array.size and bool(np.all((array <= 1) | np.isnan(array)))
            way = "(255 * array).round()" if from_1 else "array.round()"
            reason += f"; these become such by {way}.clip(0, 255).astype('uint8')"
        raise InvalidImageError(source, reason)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise InvalidImageError(source, "pass one picture: grey (height, width), RGB (..., 3) or RGBA (..., 4)")
    _check_size(array.shape[1], array.shape[0], source, max_pixels)
    return to_rgb(PIL.Image.fromarray(np.ascontiguousarray(array)))


def _check_size(width: int, height: int, source: str, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise InvalidImageError(source, "has no pixels")
    if width * height > max_pixels:
        reason = f"{width}×{height} pixels, over the limit of {max_pixels / 1e6:.0f} megapixels; make it smaller first"
        raise InvalidImageError(source, reason)


def _orientation(image: PIL.Image.Image) -> int:
    """What EXIF says of it, 1 to 8; 1, upright, where nothing is said, or nothing that can be read: a photo is not lost
    to its metadata."""
    try:
        return int(image.getexif().get(PIL.ExifTags.Base.Orientation, 1))
    except Exception:  # Pillow's parser raises many kinds
        return 1


def _upright_rgb(image: PIL.Image.Image, source: str, max_pixels: int) -> PIL.Image.Image:
    _check_size(*image.size, source, max_pixels)
    try:
        if image.mode.startswith("I") and getattr(image, "fp", None) is not None:
            note_significant_bits(image, image.fp)  # type: ignore[attr-defined]
        image.load()
        turn = UPRIGHT.get(_orientation(image))
        return to_rgb(image if turn is None else image.transpose(turn))
    except UnusablePixels as error:
        raise InvalidImageError(source, str(error)) from None
    except Exception as error:  # as above
        raise InvalidImageError(source, f"broken or incomplete picture ({error})") from None
