"""Calibration: prediction intervals that follow the face and its picture, probabilities whose temperature follows the
same."""

import numpy as np
import pytest

from hf_model import FaceTracker
from hf_model.calibration import (
    as_arrays,
    calibrate_faces,
    calibrate_interval,
    calibrated_probabilities,
    features_of,
    group_of,
    own_ends,
    prediction_intervals,
)
from hf_model.faces.quality import MEASURES
from hf_model.pictures.changes import blur, contrast, glasses, mask
from hf_model.settings import Calibration, Feature, SpreadWeights, TemperatureWeights

AGES = np.arange(117)
KNOWN = dict.fromkeys(MEASURES, None) | {"sharpness": 0.2, "familiarity": 0.5, "brightness": 0.5, "contrast": 0.2}
CALIBRATION = Calibration(
    coverage=0.8,
    features=(Feature("sharpness", 0.12, 0.0), Feature("unfamiliarity", 0.3, 4)),
    younger=SpreadWeights(0.0, 1.0, (0.5, 1.0)),
    older=SpreadWeights(0.0, 1.0, (0.5, 1.0)),
    age_edges=(20, 60),
    familiarity_edges=(0.01,),
    gender=TemperatureWeights(0.0, 0.0, (0.5, 1.0)),
    factors=((2, 2, 2), (1, 1, 0.0)),
)


def normal(mean, spread):
    density = np.exp(-0.5 * ((AGES - mean) / spread) ** 2)
    return density / density.sum()


def test_the_own_ends_leave_a_tenth_on_either_side():
    low, high = own_ends(np.stack([normal(50, 6), normal(30, 2)]))
    assert low == pytest.approx([50 - 1.2816 * 6, 30 - 1.2816 * 2], abs=0.1)
    assert high == pytest.approx([50 + 1.2816 * 6, 30 + 1.2816 * 2], abs=0.1)
    (youngest,), _ = own_ends(np.eye(117)[:1])
    assert youngest == pytest.approx(0, abs=0.5)


def test_features_go_from_0_to_1_and_the_unknown_counts_as_good():
    measures = as_arrays([KNOWN | {"sharpness": None, "familiarity": None}])
    assert features_of(np.array([30.0]), measures, CALIBRATION.features).tolist() == [[0, 0]]
    measures = as_arrays([KNOWN | {"sharpness": 0.06, "familiarity": 1e-9}])
    assert features_of(np.array([30.0]), measures, CALIBRATION.features)[0].tolist() == pytest.approx([0.5, 1])
    age = (Feature("age", 20, 0),)
    assert features_of(np.array([0.0, 10, 50]), as_arrays([KNOWN]), age).ravel().tolist() == [1, 0.5, 0]


def test_a_range_widens_with_its_distribution_and_its_picture_and_holds_the_age():
    plain = calibrate_interval(50.0, normal(50, 6), KNOWN, CALIBRATION)
    assert plain[0] == pytest.approx(50 - (1 + 1.28 * 6), abs=0.3)
    assert plain[0] < 50 < plain[1]
    for worse in ({"sharpness": 0.05}, {"familiarity": 0.05}, {"familiarity": 0.001}):
        low, high = calibrate_interval(50.0, normal(50, 6), KNOWN | worse, CALIBRATION)
        assert low < plain[0]
        assert high > plain[1]
    low, high = calibrate_interval(50.0, normal(50, 12), KNOWN, CALIBRATION)
    assert high - low > 1.7 * (plain[1] - plain[0])
    low, high = calibrate_interval(70.0, normal(70, 6), KNOWN, CALIBRATION)
    assert low == high == 70  # that factor is nothing
    assert calibrate_interval(2.0, normal(2, 6), KNOWN, CALIBRATION)[0] == 0
    assert calibrate_interval(50.0, None, KNOWN, CALIBRATION) is None
    assert calibrate_interval(50.0, normal(50, 6), KNOWN, None) is None


def test_groups_are_of_predicted_age_and_familiarity():
    of_age, of_familiarity = group_of(np.array([10.0, 20, 59, 60]), np.array([0.5, 0.001, 0.01, np.nan]), CALIBRATION)
    assert of_age.tolist() == [0, 1, 1, 2]
    assert of_familiarity.tolist() == [1, 0, 1, 1]


def probability(female, quality, calibration=CALIBRATION):
    return calibrate_faces(np.array([female]), np.array([40.0]), normal(40, 6)[None], [quality], calibration)[0][0]


def test_a_probability_is_softened_towards_the_middle_and_never_over_it():
    assert probability(0.9, KNOWN, None) == 0.9
    assert probability(0.9, KNOWN) == pytest.approx(0.9, abs=0.01)
    doubted = probability(0.9, KNOWN | {"sharpness": 0.0, "familiarity": 1e-4})
    assert doubted == pytest.approx(1 / (1 + (1 / 9) ** (1 / np.exp(1.5))), abs=1e-6)
    assert probability(0.5, KNOWN | {"sharpness": 0.0}) == pytest.approx(0.5)
    for extreme in (0.0, 1.0):
        assert 0 < probability(extreme, KNOWN) < 1


def test_many_at_once_are_as_one_by_one():
    random = np.random.default_rng(0)
    ages = random.uniform(0, 100, 40)
    distributions = np.stack([normal(age, random.uniform(2, 15)) for age in ages])
    qualities = [
        KNOWN | {"sharpness": float(random.uniform(0, 0.3)), "familiarity": float(random.uniform(0, 1))} for _ in ages
    ]
    measures = as_arrays(qualities)
    low, high = prediction_intervals(ages, distributions, measures, CALIBRATION)
    female = calibrated_probabilities(random.random(40), ages, measures, CALIBRATION)
    assert female.shape == (40,)
    for row, quality in enumerate(qualities):
        expected = calibrate_interval(float(ages[row]), distributions[row], quality, CALIBRATION)
        assert expected == pytest.approx((low[row], high[row]), abs=0.06)


def test_predictor_and_tracker_doubt_what_is_spoiled(predictor, astronaut):
    ((_, crop),) = predictor.crops(astronaut)
    crop = crop.resize((200, 200))
    (plain,) = predictor(crop, faces="none")

    def width(face):
        return face.age_interval[1] - face.age_interval[0]

    for change in (lambda image: blur(image, 10), lambda image: contrast(image, 0.1), mask, glasses):
        (changed,) = predictor(change(crop), faces="none")
        assert width(changed) > width(plain)
    (blurred,) = predictor(blur(crop, 10), faces="none")
    assert blurred.quality["familiarity"] < plain.quality["familiarity"]
    ((_, tracked),) = FaceTracker(predictor).update([blurred])
    assert tracked.age_interval == pytest.approx(blurred.age_interval, abs=0.2)
