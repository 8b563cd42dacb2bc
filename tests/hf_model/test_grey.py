"""Grey pictures of 9 to 16 bits in 16: read as bright as they are meant."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pytest

from hf_model.pictures.images import read_image

LIMIT = 50_000_000


@pytest.fixture(scope="module")
def grey(astronaut):
    """0 to 1."""
    return np.asarray(astronaut.convert("L")).astype(float) / 255


def error(picture, grey):
    return float(np.abs(np.asarray(picture.convert("L")).astype(float) / 255 - grey).mean())


def deep(grey, bits):
    return PIL.Image.fromarray((grey * (2**bits - 1)).round().astype(np.uint16))


def file_of(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_sbit(png, bits):
    """A PNG that says how many bits it uses."""
    chunk = b"sBIT" + bytes([bits])
    return png[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
def test_every_depth_is_as_bright_as_it_is_meant(grey, bits, kind):
    assert error(read_image(file_of(deep(grey, bits), kind), LIMIT), grey) < 0.005


def test_a_picture_handed_over_in_either_mode(grey):
    assert error(read_image(deep(grey, 10), LIMIT), grey) < 0.005
    assert error(read_image(deep(grey, 12).convert("I"), LIMIT), grey) < 0.005
    assert error(read_image(PIL.Image.open(io.BytesIO(file_of(deep(grey, 12), "PNG"))), LIMIT), grey) < 0.005


def test_a_hot_pixel_does_not_make_it_dark(grey):
    values = np.asarray(deep(grey, 10)).copy()
    values[5, 5] = values[200, 7] = 65535
    assert error(read_image(file_of(PIL.Image.fromarray(values), "TIFF"), LIMIT), grey) < 0.005


def test_what_the_file_says_comes_first(grey):
    dark = 0.2 * grey  # of 12 bits only 10 are used
    png = with_sbit(file_of(deep(dark, 12), "PNG"), 12)
    assert error(read_image(png, LIMIT), dark) < 0.005
    assert error(read_image(PIL.Image.open(io.BytesIO(png)), LIMIT), dark) < 0.005
    tags = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = 4095
    assert error(read_image(file_of(deep(dark, 12), "TIFF", tiffinfo=tags), LIMIT), dark) < 0.005


def test_a_dark_picture_of_true_16_bits_is_brightened_by_whole_factors_of_two_at_most(grey):
    dark = 0.3 * grey
    assert error(read_image(file_of(deep(dark, 16), "PNG"), LIMIT), np.minimum(2 * dark, 1)) < 0.005


def test_a_woman_stays_a_woman_at_ten_bits(predictor, grey):
    (plain,) = predictor(PIL.Image.fromarray((255 * grey).round().astype(np.uint8)))
    for bits in (9, 10, 12):
        (face,) = predictor(file_of(deep(grey, bits), "PNG"))
        assert face.age == pytest.approx(plain.age, abs=0.5)
        assert face.female_probability == pytest.approx(plain.female_probability, abs=0.03)
