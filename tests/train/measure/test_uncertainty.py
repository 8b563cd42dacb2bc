"""Ranges and probabilities hold on faces that they were not fitted on, by what is answered."""

import itertools

import numpy as np
import pytest

from hf_model.calibration import calibrated_probabilities, prediction_intervals
from hf_model.faces.quality import MEASURES
from train.measure.calibrate.error_model import Faces, covered, fit_gender
from train.measure.calibrate.uncertainty import fit_calibration
from train.measure.raw.groups import pooled_groups

AGES = np.arange(117)
GOOD = {"sharpness": 0.2, "brightness": 0.5, "contrast": 0.2, "cast": 0.1, "evenness": 0.95, "familiarity": 0.5}


def distributions(mean, spread):
    density = np.exp(-0.5 * ((AGES - mean[:, None]) / spread[:, None]) ** 2) + 1e-9
    return density / density.sum(axis=1, keepdims=True)


def faces(n, seed, spoiled=0.0):
    """Faces of all ages, guessed towards the middle by a network that knows how sure it is, but not of a poor
    picture."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 95, n)
    spread = 2 + label / 12
    age = (40 + 0.93 * (label - 40) + random.normal(0, 1, n) * spread * (1 + spoiled)).clip(0, 116)
    measures = {name: np.full(n, GOOD.get(name, np.nan)) for name in MEASURES}
    measures["familiarity"] = random.uniform(0, 1, n) if not spoiled else 10 ** random.uniform(-4, -2, n)
    odds = random.normal(0, 2, n)
    is_female = random.random(n) < 1 / (1 + np.exp(-odds / (1 + spoiled)))
    return Faces(age, 1 / (1 + np.exp(-odds)), distributions(age, spread), measures, label, is_female)


@pytest.fixture(scope="module")
def calibration():
    return fit_calibration(faces(2500, 0), [faces(600, 1, spoiled=1.0), faces(600, 2, spoiled=0.5)], rounds=4)


def test_the_range_holds_four_in_five_of_new_faces_of_every_predicted_age(calibration):
    new = faces(8000, 3)
    inside = covered(new, calibration)
    assert 0.77 < inside.mean() < 0.83
    for youngest, oldest in itertools.pairwise([0, 13, 20, 30, 40, 50, 60, 70, 120]):  # 70 and older are one group
        answered = (new.age >= youngest) & (new.age < oldest)
        assert 0.72 < inside[answered].mean() < 0.9, youngest


def test_it_holds_for_labelled_ages_too_where_the_network_leans_to_one_side(calibration):
    """Its answers lean to 40, so that the youngest and the oldest lie on one side of theirs."""
    new = faces(8000, 3)
    inside = covered(new, calibration)
    for youngest, oldest in itertools.pairwise([0, 13, 20, 30, 40, 50, 60, 70, 95]):
        labelled = (new.label >= youngest) & (new.label < oldest)
        assert inside[labelled].mean() > 0.7, youngest


def test_unlike_faces_get_wider_ranges_that_hold_too(calibration):
    plain, spoiled = faces(3000, 4), faces(3000, 5, spoiled=1.0)
    assert covered(spoiled, calibration).mean() > 0.75
    widths = [
        np.median(np.subtract(*prediction_intervals(some.age, some.distribution, some.measures, calibration)[::-1]))
        for some in (plain, spoiled)
    ]
    assert widths[1] > 1.25 * widths[0]
    alone = fit_calibration(faces(2500, 0), [])
    assert (
        covered(spoiled, alone).mean() < covered(spoiled, calibration).mean() - 0.04
    )  # what the changed copies are for


def test_unlike_faces_probabilities_are_moderated_and_honest_ones_left_alone(calibration):
    for some, slack in ((faces(20000, 6), 0.03), (faces(20000, 7, spoiled=1.0), 0.05)):
        female = calibrated_probabilities(some.female, some.age, some.measures, calibration)
        sure = np.maximum(female, 1 - female)
        right = (female >= 0.5) == some.is_female
        assert abs(sure.mean() - right.mean()) < slack
    shifted = faces(20000, 8)
    low = Faces(**{**vars(shifted), "female": 1 / (1 + np.exp(-(np.log(shifted.female / (1 - shifted.female)) - 0.8)))})
    assert fit_gender(low, np.ones(20000)).shift == pytest.approx(0.8, abs=0.15)


def test_small_groups_are_pooled_with_their_neighbours_in_age():
    random = np.random.default_rng(0)
    of_age = random.choice(5, 1000, p=[0.02, 0.4, 0.4, 0.1, 0.08])
    of_familiarity = random.choice(3, 1000, p=[0.05, 0.25, 0.7])
    groups = pooled_groups(of_age, of_familiarity, 5, 3)
    assert groups[0].tolist() == groups[1].tolist()  # 50 unlike faces are too few to be groups
    counts = np.bincount(groups[of_familiarity, of_age])
    assert counts.min() >= 150
    assert groups[2, 0] == groups[2, 1]
    assert groups[2, 3] == groups[2, 4] or counts[groups[2, 4]] >= 150
