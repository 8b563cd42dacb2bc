"""Ranges and probabilities hold on faces that they were not fitted on."""

import numpy as np

from hf_model.prediction import age_interval
from train.measure.calibrate import Faces, calibrate_gender, calibrate_range, covered, ranges

AGES = np.arange(117)


def distributions(mean, spread):
    density = np.exp(-0.5 * ((AGES - mean[:, None]) / spread[:, None]) ** 2) + 1e-9
    return density / density.sum(axis=1, keepdims=True)


def faces(n, seed, blurred=0.0):
    """Faces of all ages, guessed towards the middle by a network that knows how sure it is, but not of a blur."""
    random = np.random.default_rng(seed)
    label = random.integers(0, 95, n)
    spread = 2 + label / 12
    mean = (40 + 0.85 * (label - 40) + random.normal(0, 1, n) * spread * (1 + blurred)).clip(0, 116)
    sharpness = random.uniform(0.13, 0.3, n) if not blurred else random.uniform(0.04, 0.08, n)
    return Faces(distributions(mean, spread), mean, sharpness, label)


def test_the_range_covers_four_in_five_of_new_faces_of_every_age_and_more_than_three_in_four_blurred():
    section = calibrate_range(faces(2000, 0), [faces(600, 1, blurred=0.5), faces(600, 2, blurred=0.2)])
    new = faces(6000, 3)
    inside = covered(new, section)
    assert 0.76 < inside.mean() < 0.84
    for youngest in range(0, 90, 10):
        chosen = (new.label >= youngest) & (new.label < youngest + 10)
        assert 0.70 < inside[chosen].mean() < 0.92
    assert covered(faces(4000, 4, blurred=0.5), section).mean() > 0.73


def test_what_blurred_pictures_need_makes_the_range_of_sharp_ones_no_wider():
    random = np.random.default_rng(0)

    def normal(n, times, sharpness):
        label = random.integers(10, 80, n)
        mean = label + random.normal(0, 5 * times, n)
        return Faces(distributions(mean, np.full(n, 5.0)), mean, np.full(n, sharpness), label)

    clean = normal(2000, 1.0, 0.2)
    alone, both = (calibrate_range(clean, changed) for changed in ([], [normal(600, 1.8, 0.05)]))
    assert both["widening"] > alone["widening"] == 0
    blurred = normal(4000, 1.8, 0.05)
    assert covered(blurred, alone).mean() < 0.65
    assert covered(blurred, both).mean() > 0.74
    for section in (alone, both):
        assert 0.77 < covered(normal(4000, 1.0, 0.2), section).mean() < 0.84
        assert abs(np.median(np.subtract(*ranges(clean, section)[::-1])) - 2 * 1.28 * 5) <= 2


def test_many_ranges_at_once_are_those_that_the_predictor_gives():
    some = faces(60, 0, blurred=0.3)
    section = {"widening": 0.7, "sharp_from": 0.12, "lowest": [0.1] * 117, "highest": [0.85] * 117}
    low, high = ranges(some, section)
    for row in range(60):
        expected = age_interval(some.age[row], some.distribution[row], section, some.sharpness[row])
        assert np.allclose((low[row], high[row]), expected)


def test_a_distribution_that_is_right_needs_no_widening():
    random = np.random.default_rng(0)
    label = random.integers(20, 80, 4000)
    mean = label + random.normal(0, 5, 4000)
    section = calibrate_range(Faces(distributions(mean, np.full(4000, 5.0)), mean, np.full(4000, 0.2), label), [])
    assert section["widening"] == 0
    assert 0.06 < np.mean(section["lowest"][30:70]) < 0.14
    assert 0.86 < np.mean(section["highest"][30:70]) < 0.94


def test_boastful_probabilities_are_cooled_and_honest_ones_left_alone():
    random = np.random.default_rng(0)
    logit = random.normal(0, 2, 20000)
    female = random.random(20000) < 1 / (1 + np.exp(-logit))
    honest = 1 / (1 + np.exp(-logit))
    boastful = 1 / (1 + np.exp(-2 * logit))
    assert abs(calibrate_gender((honest, female), [(honest, female)])["temperature"] - 1) < 0.1
    assert abs(calibrate_gender((boastful, female), [(boastful, female)])["temperature"] - 2) < 0.2


def test_a_shift_is_kept_only_where_it_holds_on_both():
    random = np.random.default_rng(0)
    logit = random.normal(0, 2, 20000)
    female = random.random(20000) < 1 / (1 + np.exp(-logit))
    low, high = (1 / (1 + np.exp(-(logit + shift))) for shift in (-0.8, 0.8))
    assert calibrate_gender((low, female), [(low, female)])["shift"] > 0.4
    assert calibrate_gender((low, female), [(high, female)])["shift"] == 0
