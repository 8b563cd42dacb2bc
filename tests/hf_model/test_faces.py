import numpy as np
import PIL.Image
import pytest

from hf_model.faces import Face, crop_square

CENTRED = {"center_x": 0.5, "center_y": 0.5, "scale": 1.0}


def numbered(width, height):
    """A picture whose pixel at (x, y) is (x, y, 0)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.meshgrid(np.arange(width), np.arange(height))
    return PIL.Image.fromarray(pixels)


def test_the_crop_is_a_square_around_the_box_centre():
    crop = crop_square(numbered(200, 200), Face(50, 60, 40, 60, 1.0), CENTRED)
    assert crop.size == (60, 60)
    assert np.asarray(crop)[0, 0].tolist() == [40, 60, 0]
    assert np.asarray(crop)[-1, -1].tolist() == [99, 119, 0]


def test_wide_and_tall_boxes_of_one_centre_are_never_squeezed():
    for width, height in ((80, 20), (20, 80)):
        pixels = np.asarray(
            crop_square(numbered(200, 200), Face(100 - width / 2, 100 - height / 2, width, height, 1), CENTRED)
        )
        assert pixels.shape[:2] == (80, 80)
        assert np.ptp(pixels[..., 0]) == np.ptp(pixels[..., 1]) == 79


def test_scale_and_centre_come_from_the_constants():
    crop = crop_square(
        numbered(200, 200), Face(100, 100, 40, 40, 1), {"center_x": 0.25, "center_y": 0.75, "scale": 0.5}
    )
    assert crop.size == (20, 20)
    assert np.asarray(crop)[10, 10].tolist() == [110, 130, 0]


@pytest.mark.parametrize(("left", "top"), [(-30, -20), (180, 10), (10, 190), (170, 170)])
def test_beyond_the_photo_its_edge_is_repeated(left, top):
    pixels = np.asarray(crop_square(numbered(200, 200), Face(left, top, 60, 60, 1), CENTRED))
    assert pixels.shape == (60, 60, 3)
    assert np.array_equal(pixels[..., 0], np.broadcast_to(np.clip(left + np.arange(60), 0, 199), (60, 60)))
    assert np.array_equal(pixels[..., 1], np.broadcast_to(np.clip(top + np.arange(60), 0, 199)[:, None], (60, 60)))


def test_the_reported_box_is_whole_pixels_inside_the_image():
    box = Face(-5.4, 10.6, 300, 20.2, 1).clipped(100, 80)
    assert box == {"xmin": 0, "ymin": 11, "xmax": 100, "ymax": 31}
    assert all(type(value) is int for value in box.values())
