import numpy as np
import PIL.Image
import pytest

from hf_model.pictures.alignment import Square, cut

TURNS = {90: PIL.Image.Transpose.ROTATE_90, 180: PIL.Image.Transpose.ROTATE_180, 270: PIL.Image.Transpose.ROTATE_270}


def numbered(width, height):
    """A picture whose pixel at (x, y) is (x, y, 0)."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.meshgrid(np.arange(width), np.arange(height))
    return PIL.Image.fromarray(pixels)


def test_a_level_square_of_its_own_size_is_cut_pixel_for_pixel():
    pixels = np.asarray(cut(numbered(200, 200), Square(70, 90, 60), 60))
    assert pixels.shape == (60, 60, 3)
    assert pixels[0, 0].tolist() == [40, 60, 0]
    assert pixels[-1, -1].tolist() == [99, 119, 0]


@pytest.mark.parametrize(("left", "top"), [(-30, -20), (180, 10), (10, 190), (170, 170), (-59, 0)])
def test_beyond_the_photo_its_edge_is_repeated(left, top):
    pixels = np.asarray(cut(numbered(200, 200), Square(left + 30, top + 30, 60), 60))
    assert np.array_equal(pixels[..., 0], np.broadcast_to(np.clip(left + np.arange(60), 0, 199), (60, 60)))
    assert np.array_equal(pixels[..., 1], np.broadcast_to(np.clip(top + np.arange(60), 0, 199)[:, None], (60, 60)))


@pytest.mark.parametrize("side", [40, 100, 230, 430])
@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_photo_gives_the_same_picture(astronaut, side, turn):
    x, y = 230.0, 220.0
    upright = np.asarray(cut(astronaut, Square(x, y, side), 100)).astype(int)
    for _ in range(turn // 90):  # counter-clockwise
        x, y = y, 512 - x
    turned = cut(astronaut.transpose(TURNS[turn]), Square(x, y, side, -turn), 100)
    assert np.abs(np.asarray(turned) - upright).mean() < 1


@pytest.mark.parametrize("degrees", [-40, 15, 70])
def test_a_tilted_picture_comes_back_level(astronaut, degrees):
    tilted = astronaut.rotate(degrees, PIL.Image.Resampling.BICUBIC)  # counter-clockwise about the middle
    level = np.asarray(cut(tilted, Square(256, 256, 220, -degrees), 220)).astype(int)
    expected = np.asarray(astronaut.crop((146, 146, 366, 366)))
    assert np.abs(level - expected).mean() < 4


@pytest.mark.parametrize("times", [2, 3.7, 9, 20])
def test_large_faces_are_shrunk_without_aliases(times):
    """Stripes finer than the result must become grey, and not coarse stripes."""
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = np.asarray(cut(PIL.Image.fromarray(stripes), Square(1000, 1000, 90 * times, 10), 90)).astype(int)
    assert np.abs(pixels - 127.5).max() < 40


def test_places_are_found_again_and_what_lies_outside_is_measured():
    square = Square(50, 40, 30, 25)
    points = np.array([(0.2, 0.7), (0.5, 0.5), (1.3, -0.1)])
    assert np.allclose(square.find(square.place(points)), points)
    assert np.allclose(Square(50, 40, 30, 90).place(np.array([(1.0, 0.5)])), [(50, 55)])  # its right-hand side is below
    assert Square(50, 50, 40).outside(100, 100) == 0
    assert Square(0, 50, 40).outside(100, 100) == pytest.approx(0.5)
    assert Square(0, 0, 40, 45).outside(100, 100) == pytest.approx(0.75, abs=0.02)
    assert Square(0, 0, 40).touches(10, 10)
    assert not Square(-30, 0, 40).touches(10, 10)


@pytest.mark.parametrize("side", [1.2, 31.7, 200.0, 1999.9])
def test_a_snapped_square_hardly_moves_and_forgets_last_digits(side):
    square = Square(123.456, 78.9, side, 12.34)
    snapped = square.snapped()
    assert snapped.snapped() == snapped
    assert abs(snapped.x - square.x) <= side / 2048
    assert abs(snapped.y - square.y) <= side / 2048
    assert abs(snapped.side - side) <= side / 2048
    assert abs(snapped.roll - square.roll) <= 1 / 16
    moved = [Square(square.x + by, square.y - by, side + by, square.roll + by) for by in (-1e-6 * side, 1e-6 * side)]
    assert [one.snapped() for one in moved] == [snapped, snapped]
