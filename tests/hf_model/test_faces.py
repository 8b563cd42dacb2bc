import dataclasses

import numpy as np
import PIL.Image
import pytest

from hf_model.faces.face import Face, chip_square, in_order, landmark_square, merged, overlaps, roll, stands, yaw
from hf_model.settings import Crop, CropCentre, CropRoll, CropSide

# Landmarks in a cross, the nose in its middle, the eyes at the ends of its beam.
CENTRED = Crop(CropSide(1.0, 0, 0, 0, 0, 0), CropCentre(0, 1.0, 0), 0.0, 0.0)
UPRIGHT = np.array([(-20, -20), (20, -20), (0, 3), (-16, 20), (16, 20)], float)


def face(x, y, arm, score=1.0, box=None):
    """A face whose square, under CENTRED, has the centre (x, y) and the side 2 * arm."""
    landmarks = ((x - arm, y), (x + arm, y), (x, y), (x, y - arm), (x, y + arm))
    return Face(*(box or (x - arm, y - arm, 2 * arm, 2 * arm)), score, landmarks)


GRID = 2048  # a square is snapped by no more than so small a part of its side


def turned(degrees, points=UPRIGHT):
    """An upright face, turned clockwise as seen."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    landmarks = points @ np.array([[cos, sin], [-sin, cos]]) + 100
    return Face(60, 60, 80, 80, 1.0, tuple(map(tuple, landmarks)))


def test_wide_and_tall_boxes_give_the_same_square():
    for width, height in ((80, 20), (20, 80)):
        square = chip_square(face(100, 100, 40, box=(100 - width / 2, 100 - height / 2, width, height)), CENTRED)
        assert (square.x, square.y, square.side, square.roll) == (100, 100, 80, 0)


def test_side_and_centre_are_the_weighted_landmarks():
    found = Face(0, 0, 1, 1, 1.0, ((0.0, 0.0), (8.0, 0.0), (4.0, 3.0), (1.0, 6.0), (7.0, 6.0)))
    weights = CropSide(1, 10, 100, 1000, 1e4, 1e5)
    crop = Crop(weights, CropCentre(0.5, 0.25, 0.25), 0.1, -0.2)
    side = (64 + 10 * 36 + 100 * 25 + 1000 * 18 + 1e4 * 37 + 1e5 * 85) ** 0.5
    square = chip_square(found, crop)
    assert square.side == pytest.approx(side, abs=side / GRID)
    assert (square.x, square.y) == pytest.approx((4 + 0.1 * side, 2.25 - 0.2 * side), abs=side / GRID)


@pytest.mark.parametrize("degrees", [-170, -60, -10, 0, 35, 90, 180])
def test_the_square_turns_with_the_face(degrees):
    lines = CropRoll(1.0, 0.5, 2.0)
    crop = dataclasses.replace(CENTRED, offset_x=0.25, offset_y=-0.5, roll=lines)
    found = turned(degrees)
    square = chip_square(found, crop)
    assert (square.roll - degrees) % 360 == pytest.approx(0, abs=1e-6) or square.roll == pytest.approx(degrees)
    upright = chip_square(turned(0), crop)
    # Wherever the face is turned to, its landmarks are in the same places of its square.
    places = upright.find(np.asarray(turned(0).landmarks))
    assert np.allclose(square.find(np.asarray(found.landmarks)), places, atol=2 / GRID)
    assert chip_square(found, CENTRED).roll == 0  # as version 0.1.0's constants have it


def test_landmarks_that_crowd_together_are_bounded_by_the_box():
    profile = dataclasses.replace(turned(0, UPRIGHT * [0.1, 0.5]), left=0, top=0, width=90, height=160)
    assert chip_square(profile, CENTRED).side == pytest.approx(4)
    assert chip_square(profile, dataclasses.replace(CENTRED, smallest=1.25)).side == pytest.approx(150)


def test_tilts_and_turns_are_measured():
    assert roll(turned(17)) == pytest.approx(17)
    assert yaw(turned(40)) == pytest.approx(0, abs=1e-6)
    right = UPRIGHT + np.array([[0, 0], [0, 0], [9, 0], [0, 0], [0, 0]])
    assert yaw(turned(-30, right)) == pytest.approx(np.rad2deg(np.arctan2(9, 18)))
    assert stands(turned(60), 70)
    assert not stands(turned(80), 70)
    mouth_above = turned(0, UPRIGHT * [1, -1])
    assert not stands(mouth_above, 70)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (face(100, 100, 30), True),
        (face(-20, 100, 30), True),
        (face(-40, 100, 30), False),
        (face(100, 240, 30), False),
        (face(100, 100, 30, box=(-50, 10, 20, 20)), False),
        (face(-90, 100, 30, box=(10, 10, 20, 20)), False),
    ],
)
def test_a_face_outside_the_photo_is_known_as_such(found, expected):
    assert overlaps(PIL.Image.new("RGB", (200, 200)), found, CENTRED) is expected


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_face_of_a_turned_photo_is_put_back(rotation):
    width, height = 300, 200
    on_photo = Face(40, 70, 50, 60, 0.9, ((50, 80), (80, 82), (66, 95), (55, 110), (78, 111)))
    x, y, wide, high = on_photo.left, on_photo.top, on_photo.width, on_photo.height
    points = np.array([*on_photo.landmarks, (x, y), (x + wide, y + high)])
    size = (width, height)
    for _ in range(rotation // 90):  # counter-clockwise: what was at (x, y) is at (y, width - x)
        points = np.stack([points[:, 1], size[0] - points[:, 0]], axis=1)
        size = size[::-1]
    (left, top), (right, bottom) = points[5:].min(axis=0), points[5:].max(axis=0)
    found = Face(left, top, right - left, bottom - top, 0.9, tuple(map(tuple, points[:5])))
    back = found.turned_back(rotation, width, height)
    assert back == dataclasses.replace(on_photo, rotation=rotation)


def test_of_equal_scores_the_largest_face_comes_first():
    small, large, poor = face(0, 0, 10, 0.999), face(100, 0, 30, 0.995), face(200, 0, 50, 0.9)
    assert in_order([small, large, poor], 0.0) == [small, large, poor]
    assert in_order([poor, small, large], 0.01) == [large, small, poor]
    assert in_order([poor, small, large], 0.2) == [poor, large, small]
    assert in_order([], 0.1) == []


def test_a_face_found_twice_is_one_and_touching_faces_are_two():
    found, again = face(100, 100, 40, 0.99), face(104, 98, 36, 0.95)
    beside = face(181, 100, 40, 0.9)
    assert merged([again, found, beside], 0.65) == [found, beside]
    nested = face(90, 90, 12, 0.97)
    assert merged([nested, found], 0.65) == [found]
    assert merged([nested, found, again], 1.0) == [found, nested, again]


def test_the_landmark_square_is_level_with_the_face():
    square = landmark_square(turned(25), 4.0)
    assert square.roll == pytest.approx(25)
    spread = np.sqrt(((UPRIGHT - UPRIGHT.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert square.side == pytest.approx(4 * spread, abs=4 * spread / GRID)


def test_the_reported_box_is_whole_pixels_inside_the_image():
    box = face(50, 50, 5, box=(-5.4, 10.6, 300, 20.2)).clipped(100, 80)
    assert box == {"xmin": 0, "ymin": 11, "xmax": 100, "ymax": 31}
    assert all(type(value) is int for value in box.values())
