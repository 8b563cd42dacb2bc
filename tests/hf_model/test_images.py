import concurrent.futures
import io
import struct
import warnings

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from hf_model.pictures import images
from hf_model.pictures.images import InvalidImageError, read_image, read_reduced

LIMIT = 1_000_000


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def gradient(mode="RGB"):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, 60)
    pixels[:20, :, 1] = 200
    return PIL.Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "GIF"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("1", "PNG"),
        ("CMYK", "JPEG"),
        ("RGB", "WEBP"),
        ("RGB", "BMP"),
        ("RGB", "TIFF"),
    ],
)
def test_every_common_mode_becomes_rgb_of_the_same_size(mode, kind):
    image = read_image(encoded(gradient(mode), kind), LIMIT)
    assert image.mode == "RGB"
    assert image.size == (60, 40)


def test_path_bytes_file_pil_and_array_give_the_same_picture(tmp_path):
    image = gradient()
    path = tmp_path / "фото 写真.png"
    image.save(path)
    data = path.read_bytes()
    for given in (path, str(path), data, bytearray(data), io.BytesIO(data), image, np.asarray(image)):
        assert np.array_equal(np.asarray(read_image(given, LIMIT)), np.asarray(image))


def test_exif_orientation_is_applied():
    exif = PIL.Image.Exif()
    exif[274] = 6  # turned a quarter to the right to be upright
    image = read_image(encoded(gradient(), "JPEG", exif=exif), LIMIT)
    assert image.size == (40, 60)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("reads", [read_image, lambda data, limit: read_reduced(data, limit, 60)[0]])
def test_a_photo_is_not_lost_to_its_metadata(kind, reads):
    """https://github.com/python-pillow/Pillow/issues/5528"""
    image = reads(encoded(gradient(), kind, exif=b"Exif\0\0garbage!"), LIMIT)
    assert image.size == (60, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_beside_metadata_that_is_wrong(orientation):
    exif = PIL.Image.Exif()
    exif[274] = orientation
    expected = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(encoded(gradient(), "PNG", exif=exif))))
    text = b"seventy-two\0"  # of the resolution across, which is a number
    entries = struct.pack("<HHIHH", 274, 3, 1, orientation, 0) + struct.pack("<HHII", 282, 2, len(text), 38)
    odd = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + text
    image = read_image(encoded(gradient(), "PNG", exif=odd), LIMIT)
    assert np.array_equal(np.asarray(image), np.asarray(expected))


def test_reading_in_threads_leaves_the_callers_warnings_alone():
    """https://github.com/python/cpython/issues/128384: filters are the whole process's."""
    before, seen = list(warnings.filters), []
    data = encoded(gradient(), "JPEG")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda _: (read_image(data, LIMIT), seen.append(list(warnings.filters))), range(200)):
            pass
    assert all(one == before for one in seen)


def test_what_is_read_carries_no_place(astronaut, predictor):
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    exif[0x8825] = {1: "N", 2: (48.0, 12.0, 0.0)}
    data = encoded(astronaut, "JPEG", exif=exif)
    assert "exif" in PIL.Image.open(io.BytesIO(data)).info
    ((_, crop),) = predictor.crops(data)
    ((_, chip),) = predictor.crops(data, faces="none")
    for picture in (predictor.read(data), crop, chip):
        again = PIL.Image.open(io.BytesIO(encoded(picture, "JPEG")))
        assert not again.getexif()
        assert "exif" not in picture.info


def test_a_phone_photo_in_heic_is_read_upright():
    pytest.importorskip("pillow_heif")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    upright = read_image(encoded(gradient(), "HEIF", exif=exif.tobytes(), quality=90), LIMIT)
    assert upright.size == (40, 60)
    as_jpeg = read_image(encoded(gradient(), "JPEG", exif=exif, quality=95), LIMIT)
    assert np.abs(np.asarray(upright, int) - np.asarray(as_jpeg, int)).mean() < 8


def test_without_its_reader_heic_says_what_to_install(monkeypatch):
    monkeypatch.setattr(images, "READS_HEIC", False)
    with pytest.raises(InvalidImageError, match="pip install pillow-heif"):
        read_image(b"\0\0\0\x18ftypheic" + bytes(40), LIMIT)


def test_sixteen_bit_grey_keeps_its_brightness():
    values = np.linspace(0, 65535, 2400).reshape(40, 60).astype(np.uint16)
    image = np.asarray(read_image(encoded(PIL.Image.fromarray(values)), LIMIT))
    assert image.min() <= 1
    assert image.max() >= 254
    assert abs(int(image.mean()) - 127) <= 1


def test_transparency_lies_on_white():
    clear = PIL.Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    clear.putpixel((0, 0), (0, 0, 255, 255))
    read = np.asarray(read_image(encoded(clear), LIMIT))
    assert read[0, 0].tolist() == [0, 0, 255]
    assert read[1:].min() == 255


def test_of_an_animation_the_first_frame_is_taken():
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (
        np.asarray(read_image(data, LIMIT))[0, 0].tolist() == [255, 0, 0]
        or np.asarray(read_image(data, LIMIT))[0, 0, 0] > 250
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not a picture"),
        (encoded(gradient(), "JPEG")[:200], "broken"),
        (np.zeros((4, 4, 3), np.float32), "uint8.*255 \\* array"),
        (np.zeros((4, 4, 3), np.int64), "uint8"),
        (np.zeros(4, np.uint8), "grey.*RGB.*RGBA"),
        (np.zeros((4, 4, 2), np.uint8), "grey.*RGB.*RGBA"),
        (np.zeros((0, 4, 3), np.uint8), "grey.*RGB.*RGBA"),
        ("data:image/png;base64," + 5000 * "iVBOR", "no such file|cannot be read"),
        ("https://example.org/a.jpg", "web address"),
        ("/no/such/file.jpg", "no such file"),
        ("a\0b", "cannot be read|no such file"),
        (3, "pass a path"),
    ],
)
def test_bad_input_is_named_with_its_reason(given, reason):
    with pytest.raises(InvalidImageError, match=reason) as caught:
        read_image(given, LIMIT)
    assert 0 < len(caught.value.source) <= 100
    assert str(caught.value).startswith(caught.value.source)
    assert len(str(caught.value)) < 300


def test_grey_and_transparent_arrays_are_what_they_plainly_are():
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    assert np.array_equal(np.asarray(read_image(grey, LIMIT)), np.repeat(grey[..., None], 3, axis=2))
    clear = np.zeros((6, 8, 4), np.uint8)
    clear[:, :4] = (10, 20, 30, 255)
    seen = np.asarray(read_image(clear, LIMIT))
    assert seen[0, 0].tolist() == [10, 20, 30]
    assert seen[0, 7].tolist() == [255, 255, 255]  # laid on white


def test_a_long_name_keeps_its_ends():
    name = f"/photos/{'x' * 200}/holiday/portrait.jpg"
    with pytest.raises(InvalidImageError) as caught:
        read_image(name, LIMIT)
    assert caught.value.source.startswith("/photos/xxx")
    assert caught.value.source.endswith("/holiday/portrait.jpg")
    assert len(caught.value.source) == 100


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InvalidImageError, match="folder"):
        read_image(tmp_path, LIMIT)


def test_a_huge_picture_is_refused_before_it_is_decoded():
    data = encoded(PIL.Image.new("L", (1200, 1000)))
    with pytest.raises(InvalidImageError, match="megapixels"):
        read_image(data, LIMIT)


def test_the_input_array_is_not_changed():
    array = np.asarray(gradient()).copy()
    before = array.copy()
    read_image(array, LIMIT)
    assert np.array_equal(array, before)


def test_a_large_jpeg_is_read_smaller_upright_and_the_whole_size_is_told(tmp_path):
    picture = PIL.Image.linear_gradient("L").resize((3000, 2000)).convert("RGB")
    orientation = PIL.Image.Exif()
    orientation[0x0112] = 6  # a quarter turn
    picture.save(tmp_path / "large.jpg", exif=orientation)
    whole = read_image(tmp_path / "large.jpg", 10_000_000)
    for given in (tmp_path / "large.jpg", (tmp_path / "large.jpg").read_bytes()):
        small, size = read_reduced(given, 10_000_000, 700)
        assert small.size == (500, 750)
        assert size == whole.size == (2000, 3000)
        assert np.abs(np.asarray(small).astype(int) - np.asarray(whole.reduce(4))).max() <= 4
    picture.save(tmp_path / "large.png")
    for given, least in (
        (tmp_path / "large.png", 700),
        (tmp_path / "large.jpg", 1600),
        (io.BytesIO(b""), 700),
        (whole, 1),
    ):
        if isinstance(given, io.BytesIO):
            with pytest.raises(InvalidImageError, match="is empty"):
                read_reduced(given, 10_000_000, least)
        else:
            assert read_reduced(given, 10_000_000, least)[0].size == read_image(given, 10_000_000).size


@pytest.mark.parametrize(
    ("data", "limit", "reason"), [(b"\xff\xd8 no picture", 10_000_000, "known format"), (None, 1000, "over the limit")]
)
def test_what_cannot_be_read_smaller_is_refused_as_ever(data, limit, reason):
    if data is None:
        buffer = io.BytesIO()
        PIL.Image.new("RGB", (400, 300)).save(buffer, "JPEG")
        data = buffer.getvalue()
    with pytest.raises(InvalidImageError, match=reason):
        read_reduced(data, limit, 10)
