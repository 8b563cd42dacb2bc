import dataclasses
import json

import numpy as np
import pytest

from hf_model import FaceTracker
from hf_model.pictures.changes import blur
from hf_model.prediction import Prediction, age_interval, calibrated, decide_gender, places_in

THRESHOLDS = {"male_below": 0.45, "female_above": 0.55}


@pytest.mark.parametrize(
    ("probability", "gender"),
    [
        (0.0, "male"),
        (0.4499, "male"),
        (0.45, "uncertain"),
        (0.5, "uncertain"),
        (0.55, "uncertain"),
        (0.5501, "female"),
        (1.0, "female"),
    ],
)
def test_the_band_from_045_to_055_is_uncertain_ends_included(probability, gender):
    assert decide_gender(probability, **THRESHOLDS) == gender


def test_the_interval_is_read_off_by_predicted_age_and_holds_it():
    table = {"predicted_age": [2.0, 10.0, 40.0], "low": [0.0, 6.0, 30.0], "high": [4.0, 16.0, 60.0]}
    assert age_interval(1.0, None, table) == (0.0, 4.0)
    assert age_interval(10.0, None, table) == (6.0, 16.0)
    assert age_interval(25.0, None, table) == (18.0, 38.0)
    assert age_interval(70.0, None, table) == (30.0, 70.0)
    assert age_interval(30.0, None, None) is None


def test_a_prediction_is_frozen_and_json_ready():
    prediction = Prediction(30.5, (25.0, 36.0), "female", 0.9, {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, 0.99)
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction.age = 1
    assert json.loads(json.dumps(prediction.to_dict()))["age_interval"] == [25.0, 36.0]
    assert list(prediction.to_dict()) == [
        "age",
        "age_interval",
        "gender",
        "female_probability",
        "box",
        "detection_score",
        "rotation",
        "quality",
        "warnings",
    ]
    assert prediction.to_dict()["warnings"] == []


def normal(mean, spread):
    density = np.exp(-0.5 * ((np.arange(117) - mean) / spread) ** 2)
    return density / density.sum()


PLAIN = {"widening": 0.0, "sharp_from": 0.12, "lowest": np.full(117, 0.1), "highest": np.full(117, 0.9)}


def test_the_range_from_a_distribution_is_as_wide_as_it_is():
    for spread in (3, 6, 12):
        low, high = age_interval(50.0, normal(50, spread), PLAIN)
        assert low == pytest.approx(50 - 1.28 * spread, abs=1)
        assert high == pytest.approx(50 + 1.28 * spread, abs=1)
    assert age_interval(50.0, None, PLAIN) is None
    wider = {**PLAIN, "widening": 0.5}
    sharp, unknown, soft, softer = (
        age_interval(50.0, normal(50, 6), wider, value) for value in (0.2, None, 0.08, 0.02)
    )
    assert sharp == unknown == age_interval(50.0, normal(50, 6), PLAIN, 0.02)
    assert softer[0] < soft[0] < sharp[0]
    assert softer[1] > soft[1] > sharp[1]
    low, high = age_interval(90.0, normal(50, 3), PLAIN)  # whatever the distribution says, the age is in its range
    assert low < 50 < high == 90


def test_a_place_in_a_distribution_is_the_probability_of_younger_ages():
    places = places_in(normal(40, 5))
    assert places[40] == pytest.approx(0.5, abs=1e-6)
    assert (np.diff(places) >= 0).all()
    assert places_in(np.stack([normal(40, 5)] * 2), 0.3).shape == (2, 117)


def test_a_temperature_moves_a_probability_towards_the_middle_and_never_over_it():
    assert calibrated(0.9, None) == 0.9
    assert calibrated(0.9, {"temperature": 2.0, "shift": 0.0}) == pytest.approx(0.75)
    assert calibrated(0.5, {"temperature": 3.0, "shift": 0.0}) == pytest.approx(0.5)
    for extreme in (0.0, 1.0):
        assert 0 < calibrated(extreme, {"temperature": 1.5, "shift": 0.1}) < 1


def test_the_distribution_is_told_where_it_is_asked_for_alone():
    face = Prediction(30.5, None, "female", 0.9, None, None, age_distribution=normal(30, 5))
    assert face == Prediction(30.5, None, "female", 0.9, None, None)
    assert "distribution" not in repr(face)
    assert "age_distribution" not in face.to_dict()
    assert len(json.loads(json.dumps(face.to_dict(distribution=True)))["age_distribution"]) == 117
    assert Prediction(1.0, None, "male", 0.1, None, None).to_dict(distribution=True)["age_distribution"] is None


def test_the_predictor_and_the_tracker_widen_the_range_of_a_blurred_face(predictor, astronaut):
    ((_, crop),) = predictor.crops(astronaut)
    (blurred,) = predictor(blur(crop, 12), faces="none")
    section = predictor.config["age_interval"]
    assert blurred.quality["sharpness"] < section["sharp_from"]
    low, high = age_interval(blurred.age, blurred.age_distribution, section)
    assert blurred.age_interval[1] - blurred.age_interval[0] > high - low
    ((_, tracked),) = FaceTracker(predictor).update([blurred])
    assert tracked.age_interval == pytest.approx(blurred.age_interval, abs=1)
