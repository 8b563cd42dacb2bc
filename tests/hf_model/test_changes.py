"""Named changes of a picture do what their names say, and leave its size alone."""

import numpy as np
import PIL.Image
import pytest

from hf_model.pictures.changes import CHANGES, UNCHANGED, hide_surround, margin, mirror, pixels, squeeze, tilt


@pytest.fixture(scope="module")
def face(astronaut):
    return astronaut.crop((160, 50, 290, 180)).resize((200, 200))


def values(image):
    return np.asarray(image).astype(float)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_keeps_the_size_and_has_a_strength_that_changes_nothing(face, name):
    same = CHANGES[name](face, UNCHANGED[name])
    assert same.size == face.size
    assert np.abs(values(same) - values(face)).max() <= 1


def test_every_change_is_listed_with_its_neutral_strength():
    assert CHANGES.keys() == UNCHANGED.keys()


def test_a_quarter_turn_and_a_mirror_are_exact(face):
    assert np.abs(values(tilt(face, 90)) - np.rot90(values(face))).max() <= 1
    assert np.array_equal(values(mirror(face)), values(face)[:, ::-1])


def test_a_margin_frames_wider_and_a_squeeze_narrows():
    square = PIL.Image.new("RGB", (100, 100))
    square.paste("white", (25, 25, 75, 75))
    smaller = values(margin(square, 0.5))[..., 0] > 128  # twice as much is seen
    assert smaller.sum() == pytest.approx(25 * 25, rel=0.1)
    narrow = values(squeeze(square, 0.5))[..., 0] > 128
    assert narrow.any(axis=0).sum() == pytest.approx(25, abs=1)
    assert narrow.any(axis=1).sum() == pytest.approx(50, abs=1)
    assert np.array_equal(narrow, narrow[:, ::-1])


def test_few_pixels_take_detail_and_leave_the_brightness(face):
    coarse = pixels(face, 32)
    assert np.abs(np.diff(values(coarse), axis=1)).mean() < 0.6 * np.abs(np.diff(values(face), axis=1)).mean()
    assert values(coarse).mean() == pytest.approx(values(face).mean(), abs=2)


def test_the_surround_is_hidden_and_the_middle_is_not(face):
    hidden = values(hide_surround(face, 1.0, (0, 128, 128)))
    assert np.array_equal(hidden[100:120, 90:110], values(face)[100:120, 90:110])
    for corner in (hidden[0, 0], hidden[0, -1], hidden[-1, 0], hidden[110, 5]):
        assert corner.tolist() == [0, 128, 128]
