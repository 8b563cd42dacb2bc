"""Pictures whose file says what its colours mean are read by that, in every format, mode and way in."""

import io

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import skimage.data

from hf_model.pictures.colours import to_srgb
from hf_model.pictures.images import InvalidImageError, read_image, read_in_own_colours, read_reduced
from tests.profiles import SPACES, from_space, grey_profile, in_space, rgb_profile

LIMIT = 50_000_000
WIDE = [space for space in SPACES if space != "srgb"]


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return skimage.data.astronaut()


def saved(pixels: np.ndarray, profile: bytes | None, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, format, icc_profile=profile, **options)
    return buffer.getvalue()


def off(picture, pixels: np.ndarray) -> float:
    return float(np.abs(np.asarray(picture).astype(int) - pixels).mean())


@pytest.mark.parametrize("space", WIDE)
@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_profile_is_followed(photo, space, format):
    lossy = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    content = saved(in_space(photo, space), rgb_profile(space), format, **lossy)
    plain = saved(in_space(photo, space), None, format, **lossy)
    assert off(read_image(content, LIMIT), photo) < (2.5 if format == "JPEG" else 0.7)
    assert off(read_image(plain, LIMIT), photo) > 3


@pytest.mark.parametrize("space", WIDE)
def test_answers_do_not_depend_on_the_space(predictor, photo, space, tmp_path):
    reference = predictor(from_space(in_space(photo, space), space))[0]  # 8 bits of a wide space are coarse
    file = tmp_path / "photo.png"
    file.write_bytes(saved(in_space(photo, space), rgb_profile(space)))
    opened = PIL.Image.open(file)
    for given in (file, file.read_bytes(), opened, opened.convert("RGB")):
        answer = predictor(given)[0]
        # Linear light is cut and shrunk before it is converted: 1.0 years on this face.
        assert answer.age == pytest.approx(reference.age, abs=1.2 if space == "linear_rec2020" else 0.8)
        assert answer.female_probability == pytest.approx(reference.female_probability, abs=0.08)
    pixels = in_space(photo, space)[:300, 100:400]
    chip = PIL.Image.fromarray(pixels)
    chip.info["icc_profile"] = rgb_profile(space)
    alone = predictor(from_space(pixels, space), faces="none")[0]
    assert predictor(chip, faces="none")[0].age == pytest.approx(alone.age, abs=0.5)


def test_a_large_photo_is_converted_after_it_was_shrunk(predictor, photo, tmp_path):
    large = np.asarray(PIL.Image.fromarray(photo).resize((3000, 3000)))
    file = tmp_path / "large.jpg"
    file.write_bytes(saved(in_space(large, "display_p3"), rgb_profile("display_p3"), "JPEG", quality=95))
    small, size = read_reduced(file, LIMIT, 1280)
    assert size == (3000, 3000)
    assert small.width < 3000
    assert "icc_profile" in small.info  # not yet
    assert predictor(file)[0].age == pytest.approx(predictor(large)[0].age, abs=1.0)


def test_grey_cmyk_and_lab_go_by_their_own(photo):
    grey = np.asarray(PIL.Image.fromarray(photo).convert("L"))
    linear = (255 * (grey / 255.0) ** 2.2).round().astype(np.uint8)  # so dark is it stored
    read = read_image(saved(linear, grey_profile(1.0)), LIMIT)
    assert off(read, np.repeat(grey[..., None], 3, axis=2)) < 6
    assert off(read_image(saved(linear, None), LIMIT), np.repeat(grey[..., None], 3, axis=2)) > 25
    with_alpha = np.dstack([linear, np.full_like(linear, 255)])
    assert off(read_image(saved(with_alpha, grey_profile(1.0)), LIMIT), np.asarray(read)) <= 1
    lab = PIL.ImageCms.profileToProfile(
        PIL.Image.fromarray(photo),
        PIL.ImageCms.createProfile("sRGB"),
        PIL.ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert off(read_image(lab, LIMIT), photo) < 2


def test_transparency_is_laid_on_white_in_the_same_space(photo):
    layer = np.dstack([in_space(photo, "adobe_rgb"), np.full(photo.shape[:2], 255, np.uint8)])
    layer[:100, :, 3] = 0
    read = np.asarray(read_image(saved(layer, rgb_profile("adobe_rgb")), LIMIT))
    assert read[:100].min() >= 254
    assert off(read[100:], photo[100:]) < 0.7


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        rgb_profile("adobe_rgb")[:200],
        grey_profile(1.0),
        rgb_profile("adobe_rgb").replace(b"RGB ", b"CMYK"),
    ],
)
def test_a_broken_or_foreign_profile_is_ignored(photo, profile):
    assert off(read_image(saved(photo, profile), LIMIT), photo) == 0


def test_srgb_costs_nothing_and_changes_nothing(photo):
    for profile in (rgb_profile("srgb"), PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()):
        kept = read_in_own_colours(saved(photo, profile), LIMIT)
        assert to_srgb(kept) is kept
        assert off(kept, photo) == 0


def test_the_callers_picture_keeps_its_profile(predictor, photo):
    opened = PIL.Image.open(io.BytesIO(saved(in_space(photo, "adobe_rgb"), rgb_profile("adobe_rgb"))))
    opened.load()
    before = opened.tobytes()
    predictor(opened)
    assert opened.info["icc_profile"] == rgb_profile("adobe_rgb")
    assert opened.tobytes() == before


def test_what_is_read_once_is_not_converted_twice(predictor, photo):
    content = saved(in_space(photo, "linear_rec2020"), rgb_profile("linear_rec2020"))
    once = predictor.read(content)
    assert off(predictor.read(once), np.asarray(once)) == 0


def test_training_reads_by_the_profile(photo, tmp_path):
    from train.data import decoded

    chip = PIL.Image.fromarray(in_space(photo, "prophoto"))
    chip.info["icc_profile"] = rgb_profile("prophoto")
    made = decoded([chip, PIL.Image.fromarray(photo)], tmp_path / "chips.npy")
    assert np.abs(made[0].astype(int) - made[1]).mean() < 1


def test_a_wholly_transparent_picture_says_so(photo):
    layer = np.dstack([photo, np.zeros(photo.shape[:2], np.uint8)])
    with pytest.raises(InvalidImageError, match="wholly transparent"):
        read_image(saved(layer, None), LIMIT)
