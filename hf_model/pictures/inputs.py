"""What a user hands over as a picture, before it is decoded: names for it, its bytes, and the error that says what is
wrong."""

import base64
import contextlib
import os
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np
import PIL.Image

from ..portable import Portable

LONGEST_NAME = 100  # characters of an input's name in a message


class InvalidImageError(Portable, ValueError):
    """An input that is not a usable picture: ``source`` says which, ``reason`` why."""

    def __init__(self, source: str, reason: str):
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason

    def __reduce__(self):
        return type(self), (self.source, self.reason)


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


def content_of(image, source: str) -> bytes:
    """The bytes of the file that an input is: a path (``~`` is the home), bytes, or a binary file object.

    Args:
        image: the input.
        source: its name in a message.

    Raises:
        InvalidImageError: there are none.
    """
    if isinstance(image, (str, os.PathLike)):
        data = _content_of_path(image, source)
    elif isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
    elif hasattr(image, "read"):
        return _content_of_object(image, source)
    else:
        raise InvalidImageError(source, "pass a path, bytes, a binary file, a PIL image or a uint8 array (H, W, 3)")
    if not data:
        raise InvalidImageError(source, "is empty")
    return data


def _content_of_path(image: str | os.PathLike, source: str) -> bytes:
    if isinstance(image, str) and image.lower().startswith(("http://", "https://")):
        raise InvalidImageError(source, "is a web address; download the picture and pass its path or bytes")
    if not os.fspath(image):
        raise InvalidImageError(source, "is an empty path")
    try:
        path = pathlib.Path(os.fsdecode(image))
        if path.parts[:1] and path.parts[0].startswith("~") and not os.path.lexists(path):
            with contextlib.suppress(RuntimeError):  # a home that there is not
                path = path.expanduser()
        if path.is_dir():
            raise InvalidImageError(source, "is a folder; pass the pictures in it")
        if not path.is_file():
            raise InvalidImageError(source, "is a link to nothing" if path.is_symlink() else "no such file")
        return path.read_bytes()
    except InvalidImageError:
        raise
    except (OSError, ValueError) as error:
        raise InvalidImageError(source, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _content_of_object(file, source: str) -> bytes:
    """What is left in a file object; all of it, where it was read to its end and can be wound back."""
    try:
        data = file.read()
        if not data and not isinstance(data, str) and file.seekable() and file.tell():
            file.seek(0)
            data = file.read()
    except Exception as error:  # whatever a file object of the caller's raises
        raise InvalidImageError(source, f"cannot be read ({error})") from None
    if not isinstance(data, bytes):
        raise InvalidImageError(source, "is not opened in binary mode")
    if not data:
        raise InvalidImageError(source, "is empty, or was read to its end before: seek(0), or open it anew")
    return data
