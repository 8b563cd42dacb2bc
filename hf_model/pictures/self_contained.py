"""Inputs that stay what they are, whatever their giver does next: what is read ahead in threads must be so."""

import io
import os
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps

from .inputs import InvalidImageError, content_of, describe


def make_self_contained(image, may_change: bool):
    """What an input shows now, for a thread to read later.

    Paths and bytes stay as they are, file objects become their bytes, and so do pictures that Pillow has opened and not
    read yet (one that is given twice would be read by two threads at once, from one file). A picture of an animation
    becomes a copy of the frame it stands at.

    Args:
        image: what :func:`hf_model.pictures.images.read_image` takes. An error stays one.
        may_change: the giver may refill it before it is read, as a generator may: decoded pictures and arrays are
            copied.

    Raises:
        InvalidImageError: it cannot be read.
    """
    if isinstance(image, InvalidImageError):
        raise image
    if isinstance(image, (bytearray, memoryview)):
        return bytes(image)
    if isinstance(image, np.ndarray):
        return image.copy() if may_change else image
    if isinstance(image, PIL.Image.Image):
        return _picture(image, may_change)
    if hasattr(image, "read") and not isinstance(image, (str, bytes, os.PathLike)):
        return content_of(image, describe(image))
    return image


def _picture(image: PIL.Image.Image, may_change: bool) -> PIL.Image.Image | bytes:
    is_read = not getattr(image, "tile", None) and not getattr(image, "is_animated", False)
    if is_read:
        return image.copy() if may_change else image
    content = None if getattr(image, "is_animated", False) else _file_of(image)
    if content is not None:
        return content
    try:  # upright here, since a copy has lost what some formats' orientation is read from
        return PIL.ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow's decoders raise many kinds; each means: not a whole picture
        raise InvalidImageError(describe(image), f"broken or incomplete picture ({error})") from None


def _file_of(image: PIL.Image.Image) -> bytes | None:
    """The bytes of the file of a picture that is not read yet, None where they are not all of it."""
    file: Any = getattr(image, "fp", None)
    try:
        place = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(place)
        with PIL.Image.open(io.BytesIO(content)) as again:
            same = (again.format, again.size, again.mode) == (image.format, image.size, image.mode)
        return content if same else None
    except Exception:  # no file, one that cannot be wound back, or not a picture from its beginning on
        return None
