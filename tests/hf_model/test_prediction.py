import dataclasses
import json

import pytest

from hf_model.prediction import Prediction, age_interval, decide_gender

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
    assert age_interval(1.0, table) == (0.0, 4.0)
    assert age_interval(10.0, table) == (6.0, 16.0)
    assert age_interval(25.0, table) == (18.0, 38.0)
    assert age_interval(70.0, table) == (30.0, 70.0)
    assert age_interval(30.0, None) is None


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
    ]
