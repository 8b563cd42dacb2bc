"""Colours: any picture of Pillow's in sRGB, by the profile (ICC.1) that its file carries, if any.

A conversion costs more than decoding a pixel does, so that a large picture in RGB keeps its own colours until it has
been shrunk or cut: who does that calls :func:`to_srgb` on what is left.
"""

import functools
import io
import typing

import numpy as np
import PIL.Image
import PIL.ImageCms

from .grey import grey_to_8_bits

PROFILE = "icc_profile"  # in Pillow's info of a picture
SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}  # of the picture, by ICC's names
SAME_TONE = 8
SAME_WITHIN = 2  # of 255: a profile that moves no colour further is sRGB's own, or as good
TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


class UnusablePixels(ValueError):
    """Pixels that show nothing: the message says why."""


def to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """A picture in RGB, on white where it is transparent; one in RGB already as it is: a copy of 12 megapixels costs
    half as much as decoding them.

    What is grey, CMYK or Lab comes in sRGB; what is in RGB keeps its colours and says their profile, for
    :func:`to_srgb`.

    Raises:
        UnusablePixels: it has no defined brightness, or is wholly transparent.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode == "F":
        raise UnusablePixels("a picture of floating-point values has no defined brightness; convert it to 8 bits")
    profile = image.info.get(PROFILE)
    if image.mode.startswith("I"):  # 16-bit greyscale, in Pillow's several names for it
        image = grey_to_8_bits(image)
    if image.mode in TRANSPARENT or "transparency" in image.info:
        image = _on_white(image)
    transform = _transform(profile, image.mode) if image.mode != "RGB" else None
    if transform is not None:
        image, profile = _applied(image, transform), None
    rgb = image.convert("RGB")
    rgb.info.pop(PROFILE, None)
    if profile and image.mode not in ("L", "CMYK", "LAB"):
        rgb.info[PROFILE] = profile
    return rgb


def to_srgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """An RGB picture in sRGB; itself where it is so already, or carries no profile that can be used."""
    transform = _transform(image.info.get(PROFILE), "RGB")
    if transform is None:
        return image
    converted = _applied(image, transform)
    converted.info.pop(PROFILE, None)
    return converted


def with_srgb_tones(image: PIL.Image.Image) -> PIL.Image.Image:
    """An RGB picture as bright as in sRGB, its hues left alone: for what goes by shapes, as finding faces does. A tenth
    of the price of :func:`to_srgb`, and nothing for profiles with sRGB's tones, as phones' have."""
    profile = image.info.get(PROFILE)
    table = _tones(profile) if profile else None
    if table is None:
        return image
    toned = image.point(table)
    toned.info.pop(PROFILE, None)
    return toned


def keep_profile(source: PIL.Image.Image, made: PIL.Image.Image) -> PIL.Image.Image:
    """``made``, whose pixels are the source's, with the source's profile, which Pillow loses on the way through an
    array."""
    if PROFILE in source.info:
        made.info[PROFILE] = source.info[PROFILE]
    return made


def _applied(image: PIL.Image.Image, transform: PIL.ImageCms.ImageCmsTransform) -> PIL.Image.Image:
    return typing.cast(PIL.Image.Image, PIL.ImageCms.applyTransform(image, transform))  # None only in place


def _on_white(image: PIL.Image.Image) -> PIL.Image.Image:
    layer = image.convert("RGBA")
    if not np.asarray(layer.getchannel("A")).any():
        raise UnusablePixels("is wholly transparent: there is nothing to see in it")
    paper = PIL.Image.new("RGBA", layer.size, "white")
    return PIL.Image.alpha_composite(paper, layer).convert("L" if image.mode[0] == "L" else "RGB")


def _transform(profile: bytes | None, mode: str) -> PIL.ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB, perceptually; None where that changes nothing, or the profile is broken or
    another's."""
    return _make_transform(profile, mode) if profile and mode in SPACES else None


@functools.lru_cache(maxsize=32)  # photos of one camera share it; safe between threads, which each read it alone
def _make_transform(profile: bytes, mode: str) -> PIL.ImageCms.ImageCmsTransform | None:
    try:
        source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != SPACES[mode]:
            return None
        target, intent = PIL.ImageCms.createProfile("sRGB"), PIL.ImageCms.Intent.PERCEPTUAL
        transform = PIL.ImageCms.buildTransform(source, target, mode, "RGB", intent)
        if mode == "RGB" and _changes_nothing(transform):
            return None
        return transform
    except Exception:  # a broken profile, of which there are many kinds: the picture is read as if it had none
        return None


@functools.lru_cache(maxsize=32)
def _tones(profile: bytes) -> list[int] | None:
    """What the values of greys become in sRGB, channel by channel; None where none moves further than ``SAME_TONE``."""
    transform = _transform(profile, "RGB")
    if transform is None:
        return None
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    moved = np.asarray(_applied(PIL.Image.fromarray(ramp), transform))[0]
    if int(np.abs(moved.astype(int) - ramp[0]).max()) <= SAME_TONE:
        return None
    return moved.T.ravel().tolist()


def _changes_nothing(transform: PIL.ImageCms.ImageCmsTransform) -> bool:
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(9, 81, 3)
    moved = np.asarray(PIL.ImageCms.applyTransform(PIL.Image.fromarray(colours), transform))
    return int(np.abs(moved.astype(int) - colours).max()) <= SAME_WITHIN
