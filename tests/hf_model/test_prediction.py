import dataclasses
import json

import numpy as np
import pytest

from hf_model.prediction import Prediction, decide_gender
from hf_model.settings import Decision
from tests.support import PREDICTION_KEYS

THRESHOLDS = Decision(0.45, 0.55)


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
    assert decide_gender(probability, THRESHOLDS) == gender


def test_a_prediction_is_frozen_and_json_ready():
    prediction = Prediction(30.5, (25.0, 36.0), "female", 0.9, {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}, 0.99)
    with pytest.raises(dataclasses.FrozenInstanceError):
        prediction.age = 1
    assert json.loads(json.dumps(prediction.to_dict()))["age_interval"] == [25.0, 36.0]
    assert list(prediction.to_dict()) == list(PREDICTION_KEYS)
    assert prediction.to_dict()["warnings"] == []


def normal(mean, spread):
    density = np.exp(-0.5 * ((np.arange(117) - mean) / spread) ** 2)
    return density / density.sum()


def test_the_distribution_is_told_where_it_is_asked_for_alone():
    face = Prediction(30.5, None, "female", 0.9, None, None, age_distribution=normal(30, 5))
    assert face == Prediction(30.5, None, "female", 0.9, None, None)
    assert "distribution" not in repr(face)
    assert "age_distribution" not in face.to_dict()
    assert len(json.loads(json.dumps(face.to_dict(distribution=True)))["age_distribution"]) == 117
    assert Prediction(1.0, None, "male", 0.1, None, None).to_dict(distribution=True)["age_distribution"] is None
