import dataclasses

import numpy as np
import pytest

from hf_model.faces.face import Face, chip_square
from hf_model.pictures.alignment import Square, cut
from tests.support import jpeg_bytes
from train.measure.calibrate.crop import fit_crop, framing_errors
from train.measure.raw.scenes import make_scene

SHAPE = np.array([[-1, -1], [1, -1], [0, 0.2], [-0.8, 1], [0.8, 1]])


def made_faces(squares, random):
    """Faces whose eyes lie alike in all squares, and noses and mouths as they like: the eyes alone tell."""
    faces = []
    for square in squares:
        wide, low = random.normal(0, 0.3, 2)
        odd = np.array([[0, 0], [0, 0], random.normal(0, 0.1, 2), [-wide, low], [wide, low]])
        landmarks = square.place(np.array([0.45, 0.6]) + 0.2 * (SHAPE + odd))
        faces.append(Face(square.x, square.y, square.side, square.side, 1.0, tuple(map(tuple, landmarks))))
    return faces


def test_the_crop_constants_undo_a_known_framing():
    random = np.random.default_rng(0)
    squares = [Square(*random.uniform(0, 300, 2), random.uniform(80, 600), random.uniform(-25, 25)) for _ in range(60)]
    faces = made_faces(squares, random)
    # One face was found elsewhere.
    wrong = dataclasses.replace(faces[7], landmarks=tuple((x + squares[7].side, y) for x, y in faces[7].landmarks))
    crop = fit_crop([*faces[:7], wrong, *faces[8:]], squares)
    assert dataclasses.astuple(crop.side) == pytest.approx((2.5**2, 0, 0, 0, 0, 0), abs=0.05)
    assert dataclasses.astuple(crop.centre) == pytest.approx((1.0, 0.0, 0.0), abs=0.01)
    assert (crop.offset_x, crop.offset_y) == (pytest.approx(0.05, abs=2e-3), pytest.approx(0.1, abs=2e-3))
    errors = framing_errors(faces, squares, crop)
    assert max(errors[name].max() for name in ("centre_x", "centre_y", "side")) < 0.002
    assert errors["roll"].max() < 0.1


def test_where_landmarks_of_faces_turned_away_crowd_together_the_box_bounds_the_side():
    random = np.random.default_rng(1)
    squares = [Square(*random.uniform(0, 300, 2), random.uniform(80, 600)) for _ in range(60)]
    faces = made_faces(squares, random)
    for row in range(0, 60, 3):  # the nose at the rim, all points closer together, the box as it was
        middle = np.mean(faces[row].landmarks, axis=0)
        points = middle + (np.array(faces[row].landmarks) - middle) * [0.5, 1]
        points[2, 0] += 0.15 * squares[row].side
        left, side = squares[row].x - squares[row].side / 2, squares[row].side
        faces[row] = dataclasses.replace(
            faces[row], left=left, width=0.8 * side, height=0.8 * side, landmarks=tuple(map(tuple, points))
        )
    crop = fit_crop(faces, squares)
    away = range(0, 60, 3)
    chosen = np.mean([abs(chip_square(faces[row], crop).side / squares[row].side - 1) for row in away])
    without = dataclasses.replace(crop, smallest=0.0)
    free = np.mean([abs(chip_square(faces[row], without).side / squares[row].side - 1) for row in away])
    assert chosen <= free
    assert crop.smallest > 0


@pytest.mark.parametrize("most_tilt", [0, 30])
def test_a_scene_holds_the_chip_where_it_says(most_tilt):
    import io

    import PIL.Image

    chip = np.asarray(PIL.Image.open(io.BytesIO(jpeg_bytes(1, 200))).convert("RGB"))
    random = np.random.default_rng(0)
    rolls = []
    for _ in range(5):
        scene = make_scene(chip, random, most_tilt=most_tilt)
        assert 100 <= scene.square.side <= 800
        inside = np.asarray(cut(scene.image, scene.square, 200)).astype(int)
        assert np.abs(inside - chip).mean() < 8
        assert scene.image.width > scene.square.side
        rolls.append(scene.square.roll)
    assert np.ptp(rolls) > 10 or not most_tilt
