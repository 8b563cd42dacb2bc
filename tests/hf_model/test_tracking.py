"""Faces keep their numbers through frames, and their answers are means of what was seen."""

import dataclasses
import json
import math
import types

import numpy as np
import pytest

from hf_model import FaceTracker, Prediction
from hf_model.settings import Calibration, Decision, Feature, SpreadWeights, TemperatureWeights

SETTINGS = types.SimpleNamespace(decision=Decision(0.45, 0.55), calibration=None)


def face(left: int, age: float = 30.0, female: float = 0.9, side: int = 100, distribution=None) -> Prediction:
    box = {"xmin": left, "ymin": 50, "xmax": left + side, "ymax": 50 + side}
    return Prediction(age, None, "female", female, box, 0.99, age_distribution=distribution)


@pytest.fixture
def tracker():
    return FaceTracker(types.SimpleNamespace(settings=SETTINGS))


def test_faces_that_move_keep_their_numbers_in_whatever_order_they_come(tracker):
    for step in range(20):
        one, other = face(10 + 8 * step), face(500 - 8 * step, age=60)
        found = [one, other] if step % 2 else [other, one]
        numbers = {round(prediction.age): number for number, prediction in tracker.update(found)}
        assert numbers == {30: 2, 60: 1}


def test_a_face_is_remembered_while_it_is_not_found_and_new_when_it_stays_away(tracker):
    assert tracker.update([face(10)])[0][0] == 1
    for _ in range(5):
        assert tracker.update([]) == []
    assert tracker.update([face(12)])[0][0] == 1
    for _ in range(6):
        tracker.update([])
    assert tracker.update([face(12)])[0][0] == 2


def test_the_first_frames_count_alike_and_later_ones_move_little(tracker):
    ages = [30.0, 40.0, 50.0]
    answers = [tracker.update([face(10, age)])[0][1].age for age in ages]
    assert answers == pytest.approx([30, 35, 40])
    for _ in range(50):
        tracker.update([face(10, 40)])
    (_, steady) = tracker.update([face(10, 40)])[0]
    (_, moved) = tracker.update([face(10, 90)])[0]
    assert moved.age - steady.age == pytest.approx(0.2 * 50, rel=0.05)


def test_gender_is_smoothed_as_a_logit_and_decided_anew(tracker):
    tracker.update([face(10, female=0.9)])
    ((_, answer),) = tracker.update([face(10, female=0.1)])
    assert answer.female_probability == pytest.approx(0.5)
    assert answer.gender == "uncertain"
    ((_, extreme),) = tracker.update([face(10, female=0.0)])
    assert math.isfinite(extreme.female_probability)


def test_distributions_are_averaged_and_the_range_follows(tracker):
    uniform = np.full(117, 1 / 117, np.float32)
    spike = np.zeros(117, np.float32)
    spike[30] = 1
    flat = SpreadWeights(0.0, 1.0, (0.0,))
    calibration = Calibration(
        0.8, (Feature("sharpness", 0.12, 0.0),), flat, flat, (), (), TemperatureWeights(0.0, 0.0, (0.0,)), ((1.0,),)
    )
    tracker.predictor.settings = types.SimpleNamespace(decision=SETTINGS.decision, calibration=calibration)
    tracker.update([face(10, distribution=spike)])
    ((_, answer),) = tracker.update([face(10, distribution=0.8 * uniform + 0.2 * spike)])
    assert answer.age_distribution.sum() == pytest.approx(1)
    assert answer.age_distribution[30] > 0.5
    low, high = answer.age_interval
    assert low < 30 < high


def test_real_frames_of_one_face_have_one_number(predictor, astronaut):
    tracker = FaceTracker(predictor)
    numbers = set()
    for step in range(4):
        frame = np.asarray(astronaut.crop((10 * step, 0, 10 * step + 400, 400)))
        ((number, answer),) = tracker(frame)
        numbers.add(number)
        assert answer == dataclasses.replace(answer)
    assert numbers == {1}
    with pytest.raises(ValueError, match="memory=1"):
        FaceTracker(predictor, memory=1)


def test_whoever_takes_an_old_mans_place_gets_a_number_and_an_age_of_his_own(tracker, root):
    """The sequence is also JavaScript's: tests/browser/steps.test.mjs."""
    for frame in json.loads((root / "tests" / "tracks.json").read_text(encoding="utf-8"))["frames"]:
        years = np.arange(117)
        distribution = np.exp(-0.5 * ((years - frame["age"]) / frame["spread"]) ** 2)
        seen = face(frame["left"], frame["age"], distribution=distribution / distribution.sum())
        ((number, answer),) = tracker.update([seen])
        assert number == frame["number"], frame
        assert abs(answer.age - frame["age"]) < 10, frame
