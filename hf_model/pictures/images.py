"""Reading pictures: whatever a user hands over becomes upright RGB, or a clear error."""

import base64
import contextlib
import io
import os
import pathlib
import warnings
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps

from ..portable import Portable
from .colours import UnusablePixels, to_rgb, to_srgb
from .grey import note_significant_bits

try:
    import pillow_heif

    pillow_heif.register_heif_opener()
    READS_HEIC = True
except ImportError:  # optional: without it an HEIC photo is refused like any unknown format
    READS_HEIC = False

# Bytes 4 to 12 of what phones write, by ISO/IEC 23008-12.
HEIC_STARTS = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1")

HEIF_ENDINGS = {".heic", ".heif"}  # known even where they cannot be read: that is said then, and how
LONGEST_NAME = 100  # characters of an input's name in a message


class InvalidImageError(Portable, ValueError):
    """An input that is not a usable picture: ``source`` says which, ``reason`` why."""

    def __init__(self, source: str, reason: str):
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self):
        return type(self), (self.source, self.reason)


def picture_endings() -> set[str]:
    """The endings of picture files' names, with their dot, in lower case."""
    return {*PIL.Image.registered_extensions(), *HEIF_ENDINGS}


def describe(image) -> str:
    """A short name for an input, for messages: of a long one, as a data URI is, the start and the end."""
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        name = path if isinstance(path, str) and path else repr(path)
        return name if len(name) <= LONGEST_NAME else f"{name[:38]}...{name[41 - LONGEST_NAME :]}"
    if isinstance(image, (bytes, bytearray, memoryview)):
        return f"image of {len(image)} bytes"
    if isinstance(image, np.ndarray):
        return f"array of shape {image.shape} and dtype {image.dtype}"
    if isinstance(image, PIL.Image.Image):
        return f"{image.mode} image of {image.size[0]}×{image.size[1]} pixels"
    return f"{type(image).__name__} object"


def from_base64(text: str) -> bytes:
    """The bytes of a picture from base64 text or a data URI, as programs send it.

    Raises:
        InvalidImageError: it is neither.
    """
    source = describe(text)
    content = text.strip()
    if content[:5].lower() == "data:":
        header, comma, content = content.partition(",")
        if not comma or not header.lower().endswith(";base64"):
            raise InvalidImageError(source, "is a data URI without base64 content")
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except ValueError:
        raise InvalidImageError(source, "is no base64 text; send the picture's bytes encoded in base64") from None


def is_many(images) -> bool:
    """Whether an input is a list, tuple or generator of pictures, and not one picture.

    Raises:
        InvalidImageError: it is neither.
    """
    if isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike, np.ndarray, PIL.Image.Image)):
        return False
    if hasattr(images, "read"):
        return False
    if isinstance(images, Iterable) and not isinstance(images, Mapping):
        return True
    raise InvalidImageError(describe(images), "pass a path, bytes, a binary file, a PIL image or a uint8 array")


def read_image(image, max_pixels: int) -> PIL.Image.Image:
    """An upright RGB picture in sRGB from a path, bytes, binary file, PIL image or uint8 array.

    EXIF orientation is applied; of an animation's file the first frame is taken, of a PIL picture that where it stands;
    transparency is laid on white; grey of 9 to 16 bits becomes one of 8, see
    :func:`hf_model.pictures.grey.grey_to_8_bits`; the colours become sRGB's by the ICC profile that is in the file, see
    :mod:`hf_model.pictures.colours`. Arrays are grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4). That the colours of an array
    lie in the order blue, green, red, as OpenCV reads them, cannot be seen: such an array is misread unless it is given as
    ``array[..., ::-1]``.

    Args:
        image: the input.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        InvalidImageError: not a picture, broken, empty, too large, or an array of another kind.
    """
    return to_srgb(read_in_own_colours(image, max_pixels))


def read_in_own_colours(image, max_pixels: int) -> PIL.Image.Image:
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
    with _quiet():
        file = _binary_file(image, source)
        try:
            with PIL.Image.open(file) as opened:
                return _upright_rgb(opened, source, max_pixels)
        except InvalidImageError:
            raise
        except PIL.UnidentifiedImageError:
            if not READS_HEIC and file.getbuffer()[4:12] in HEIC_STARTS:
                raise InvalidImageError(source, "is an HEIC picture: pip install pillow-heif to read it") from None
            raise InvalidImageError(source, "not a picture in a known format") from None
        except PIL.Image.DecompressionBombError:
            raise InvalidImageError(
                source, f"more than {max_pixels / 1e6:.0f} megapixels; make it smaller first"
            ) from None
        except Exception as error:  # Pillow's decoders raise many kinds; each means: not a whole picture
            raise InvalidImageError(source, f"broken or incomplete picture ({error})") from None


def read_reduced(image, max_pixels: int, least_side: int) -> tuple[PIL.Image.Image, tuple[int, int]]:
    """A picture as :func:`read_in_own_colours` reads it, or smaller, where its decoder reads a smaller one faster, as JPEG's does.

    Args:
        image: the input.
        max_pixels: as for :func:`read_image`, of the whole picture.
        least_side: its longer side keeps at least so many pixels.

    Returns:
        The picture, and the size of the whole one, upright.

    Raises:
        InvalidImageError: as :func:`read_image` does.
    """
    if isinstance(image, (str, os.PathLike, bytes)):
        source = describe(image)
        with contextlib.suppress(Exception), _quiet(), PIL.Image.open(_binary_file(image, source)) as opened:
            width, height = opened.size
            _check_size(width, height, source, max_pixels)
            factor = next((factor for factor in (8, 4, 2) if max(width, height) >= factor * least_side), 1)
            if factor > 1 and opened.draft("RGB", (width // factor, height // factor)):
                upright = _upright_rgb(opened, source, max_pixels)
                turned = (upright.width > upright.height) != (width > height)
                return upright, (height, width) if turned else (width, height)
    upright = read_in_own_colours(image, max_pixels)  # and says what is wrong with it
    return upright, upright.size


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's remarks on odd metadata and large files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _binary_file(image, source: str) -> io.BytesIO:
    if isinstance(image, (str, os.PathLike)):
        if isinstance(image, str) and image.lower().startswith(("http://", "https://")):
            raise InvalidImageError(source, "is a web address; download the picture and pass its path or bytes")
        if not os.fspath(image):
            raise InvalidImageError(source, "is an empty path")
        try:
            path = pathlib.Path(os.fsdecode(image))
            if path.is_dir():
                raise InvalidImageError(source, "is a folder; pass the pictures in it")
            if not path.is_file():
                raise InvalidImageError(source, "no such file")
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            if isinstance(error, InvalidImageError):
                raise
            raise InvalidImageError(source, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
    elif hasattr(image, "read"):
        data = image.read()
        if not isinstance(data, bytes):
            raise InvalidImageError(source, "is not opened in binary mode")
    else:
        raise InvalidImageError(source, "pass a path, bytes, a binary file, a PIL image or a uint8 array (H, W, 3)")
    if not data:
        raise InvalidImageError(source, "is empty")
    return io.BytesIO(data)


def _from_array(array: np.ndarray, source: str, max_pixels: int) -> PIL.Image.Image:
    if array.dtype != np.uint8:
        reason = "pass uint8 values from 0 to 255"
        if array.dtype.kind == "f":
            reason += "; values from 0 to 1 become such by (255 * array).round().astype('uint8')"
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


def _upright_rgb(image: PIL.Image.Image, source: str, max_pixels: int) -> PIL.Image.Image:
    _check_size(*image.size, source, max_pixels)
    try:
        if image.mode.startswith("I") and getattr(image, "fp", None) is not None:
            note_significant_bits(image, image.fp)  # type: ignore[attr-defined]
        image.load()
        if image.getexif().get(PIL.ExifTags.Base.Orientation, 1) != 1:
            image = PIL.ImageOps.exif_transpose(image)
        return to_rgb(image)
    except UnusablePixels as error:
        raise InvalidImageError(source, str(error)) from None
    except Exception as error:  # as above
        raise InvalidImageError(source, f"broken or incomplete picture ({error})") from None
