"""Grey pictures of more than 8 bits, as scientific cameras write them: how many of their 16 bits are used."""

import struct

import numpy as np
import PIL.Image

from .png_text import START

BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281  # of TIFF
USED_SHARE = 99.9  # per cent of the pixels: a hot one does not count


def grey_to_8_bits(image: PIL.Image.Image) -> PIL.Image.Image:
    """A picture of one of Pillow's modes ``I`` as ``L``: white is the largest value of the bits that it uses.

    They are what the file says where it says less than 16 (PNG's sBIT, TIFF's BitsPerSample and MaxSampleValue); else
    as many, from 8 to 16, as 99.9 of 100 pixels need. A picture in 16 bits that is so dark that it leaves the upper
    ones empty is brightened by that, by whole factors of two: it cannot be told from one of fewer bits.
    """
    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    bits = _said_bits(image) or _used_bits(values)
    return PIL.Image.fromarray((values * 255 / (2**bits - 1)).round().clip(0, 255).astype(np.uint8))


def _used_bits(values: np.ndarray) -> int:
    most = np.percentile(values, USED_SHARE)
    return next(bits for bits in range(8, 17) if most < 2**bits)


def _said_bits(image: PIL.Image.Image) -> int | None:
    """How many bits the file says are used, where that is fewer than 16."""
    tags = getattr(image, "tag_v2", None) or {}
    said = np.ravel(tags.get(BITS_PER_SAMPLE, ())).tolist()
    said += [int(most).bit_length() for most in np.ravel(tags.get(MAX_SAMPLE_VALUE, ())).tolist()]
    said += [image.info["sbit"]] if "sbit" in image.info else []
    return min((int(bits) for bits in said if 8 <= bits < 16), default=None)


def note_significant_bits(image: PIL.Image.Image, file) -> None:
    """Puts what a PNG file's sBIT chunk says into ``image.info["sbit"]``: Pillow drops it.

    Args:
        file: the picture's, which is left where it stands.
    """
    place = file.tell()
    try:
        file.seek(0)
        if file.read(8) != START:
            return
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind in (b"IDAT", b"IEND"):
                return
            if kind == b"sBIT" and length == 1:
                image.info["sbit"] = file.read(1)[0]
                return
            file.seek(length + 4, 1)
    finally:
        file.seek(place)
