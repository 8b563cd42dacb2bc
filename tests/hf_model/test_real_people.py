"""Accuracy on people whose faces may be shown, and the same answer from every engine."""

import numpy as np
import pytest

from hf_model import AgeGenderPredictor


@pytest.fixture(scope="module")
def answered(root, london):
    """Each person's neutral photo, and the answer for it, on the fastest engine."""
    neutral = [row for row in london if row["expression"] == "neutral"]
    predictor = AgeGenderPredictor.from_pretrained(root / "hf_model")
    return neutral, predictor([row["path"] for row in neutral])


def test_every_face_is_found_once(answered):
    people, answers = answered
    assert len(people) == len({row["person"] for row in people}) == 102
    assert all(len(faces) == 1 for faces in answers)


def test_ages_are_near_the_true_ones_and_ranges_hold_them(answered):
    told = [(row["age"], faces[0]) for row, faces in zip(*answered, strict=True) if row["age"] is not None]
    errors = np.array([face.age - age for age, face in told])
    held = np.mean([face.age_interval[0] <= age <= face.age_interval[1] for age, face in told])
    assert np.abs(errors).mean() < 5.5
    assert abs(errors.mean()) < 3.5
    assert np.abs(errors).max() < 25
    assert 0.7 < held <= 1
    assert np.corrcoef([age for age, _ in told], [face.age for _, face in told])[0, 1] > 0.7


def test_genders_are_those_that_people_gave(answered):
    people, answers = answered
    female = np.array([faces[0].female_probability for faces in answers])
    wanted = np.array([row["gender"] for row in people])
    assert ((female >= 0.5) == wanted).mean() >= 0.95
    called = [(faces[0].gender, row["gender"]) for row, faces in zip(people, answers, strict=True)]
    assert sum({"male": 0, "female": 1}.get(gender, truth) != truth for gender, truth in called) <= 4


def test_a_persons_two_photos_have_about_one_age(root, london, answered):
    predictor = AgeGenderPredictor.from_pretrained(root / "hf_model")
    smiling = {row["person"]: row["path"] for row in london if row["expression"] == "smiling"}
    people, answers = answered
    neutral = [faces[0].age for faces in answers[:40]]
    moved = np.abs(
        np.array(neutral) - [faces[0].age for faces in predictor([smiling[row["person"]] for row in people[:40]])]
    )
    assert moved.mean() < 4.5


@pytest.mark.parametrize("engine", ["onnx", "openvino", "keras"])
def test_engines_agree_on_real_faces(root, london, predictor, engine):
    pytest.importorskip({"onnx": "onnxruntime", "keras": "tensorflow"}.get(engine, engine))
    paths = [row["path"] for row in london[:60:5]]
    other = AgeGenderPredictor.from_pretrained(root / "hf_model", engine=engine, precision="float32")
    for (one,), (two,) in zip(predictor(paths), other(paths), strict=True):
        assert two.age == pytest.approx(one.age, abs=0.35)
        assert two.female_probability == pytest.approx(one.female_probability, abs=0.03)
