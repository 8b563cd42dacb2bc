"""What the network says reaches whoever measures as it was said, and predictions are made from it by one later step."""

import re

import numpy as np
import pytest

from hf_model import AgeGenderPredictor
from hf_model.download import read_config
from hf_model.prediction import calibrate
from hf_model.settings import SECTIONS_OF_WEIGHTS, Settings

AGES = np.arange(117, dtype=np.float32)


@pytest.fixture(scope="module")
def distribution():
    density = np.exp(-0.5 * ((AGES - 41) / 7) ** 2)
    return (density / density.sum()).astype(np.float32)


@pytest.fixture(scope="module")
def stubbed(root, distribution):
    """The shipped configuration, calibrations included, around a network that says the same of every face."""

    def says(batch):
        n = len(batch)
        return {
            "age": np.full(n, 41.3, np.float32),
            "gender": np.full(n, 0.9, np.float32),
            "age_distribution": np.tile(distribution, (n, 1)),
        }

    return AgeGenderPredictor(Settings.load(root / "hf_model"), says)


def test_raw_is_what_the_network_said_to_the_bit(stubbed, distribution, astronaut):
    (chip,) = stubbed.raw(astronaut, faces="none")
    assert chip.female_probability == float(np.float32(0.9))
    assert chip.age == float(np.float32(41.3))
    assert np.array_equal(chip.age_distribution, distribution)
    assert chip.face is None
    assert chip.box is None
    assert chip.photo == (512, 512)


def test_predictions_are_the_raw_ones_calibrated(stubbed, astronaut):
    raw = stubbed.raw([astronaut, astronaut], faces="most_confident")
    answers = stubbed([astronaut, astronaut], faces="most_confident")
    assert [calibrate(faces, stubbed.settings) for faces in raw] == answers
    (face,) = raw[0]
    assert face.face.score == answers[0][0].detection_score
    assert answers[0][0].female_probability != face.female_probability
    assert answers[0][0].age_interval[0] < face.age < answers[0][0].age_interval[1]


def test_a_bad_picture_stays_in_its_place(stubbed, astronaut):
    bad, good = stubbed.raw([b"no picture", astronaut], on_error="return")
    assert isinstance(bad, ValueError)
    assert len(good) == 1


def test_faces_found_elsewhere_are_answered_for(predictor, astronaut):
    (found,) = predictor.raw(astronaut)
    (again,) = predictor.raw_of(predictor.read(astronaut), [found.face])
    assert again.age == pytest.approx(found.age, abs=0.01)
    assert again.features == pytest.approx(found.features, abs=0.01)


def test_what_is_measured_does_not_depend_on_what_was_calibrated_before(root, tmp_path):
    """A refit on a folder that is calibrated starts from the same numbers as on one that never was."""
    import shutil

    from train.config import write_config
    from train.measure.raw.outputs import RawOutputs
    from train.smoke import smoke_chips

    for name in ("model.safetensors", "familiarity.safetensors", "config.json"):
        shutil.copy(root / "hf_model" / name, tmp_path)
    chips = smoke_chips(6)[0]["test"].images
    calibrated = RawOutputs(tmp_path, None).chips("some", chips)
    config = read_config(tmp_path)
    assert set(SECTIONS_OF_WEIGHTS) <= config.keys()
    write_config(tmp_path, {key: value for key, value in config.items() if key not in SECTIONS_OF_WEIGHTS})
    plain = RawOutputs(tmp_path, None).chips("some", chips)
    for name in ("age", "female", "distribution", "quality"):
        assert np.array_equal(getattr(calibrated, name), getattr(plain, name), equal_nan=True), name


def test_nobody_outside_reaches_into_the_predictor(root):
    private = re.compile(r"predictor\._(?!_)|\._answerer|\._cropper")
    for room in ("train", "space", "benchmarks", "tests"):
        for path in (root / room).rglob("*.py"):
            if path.name != "test_raw.py":
                assert not private.search(path.read_text(encoding="utf-8")), path
