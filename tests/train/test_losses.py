"""The losses and metrics of ages that are known exactly, or as bins."""

import numpy as np
import pytest

from train.losses import AgeLikelihood, OutsideHuber, inside, outside
from train.recipe import load_recipe

AGES = np.arange(117)


def about(age, deviation=2.0):
    """A distribution about an age, (1, 117)."""
    density = np.exp(-0.5 * ((AGES - age) / deviation) ** 2)
    return (density / density.sum()).astype(np.float32)[None]


def label(low, high=None):
    return np.array([[low, low if high is None else high]], np.float32)


@pytest.fixture(scope="module")
def likelihood():
    return AgeLikelihood(load_recipe("best").age_spread)


def loss(likelihood, ages, distribution) -> float:
    return float(likelihood(ages, distribution))


def test_an_exact_age_is_best_answered_by_a_distribution_about_it(likelihood):
    right, near, far = (loss(likelihood, label(40), about(age)) for age in (40, 44, 60))
    assert right < near < far
    # The labels of the old are softer: the same spread is too narrow for them, and too wide for children.
    assert loss(likelihood, label(4), about(4, 1.0)) < loss(likelihood, label(4), about(4, 3.0))
    assert loss(likelihood, label(80), about(80, 3.0)) < loss(likelihood, label(80), about(80, 1.0))


def test_every_sure_and_right_answer_to_a_bin_is_as_good(likelihood):
    inside_bin = [loss(likelihood, label(30, 39), about(age, 1.0)) for age in (33, 34.5, 36)]
    assert max(inside_bin) < 0.15
    assert max(inside_bin) - min(inside_bin) < 0.1
    assert loss(likelihood, label(30, 39), about(25, 1.0)) > 1
    assert loss(likelihood, label(30, 39), about(45, 1.0)) > 1
    # Both edges are soft: a year outside is not infinitely wrong.
    assert loss(likelihood, label(30, 39), about(40, 1.0)) < 1.5


def test_the_oldest_have_no_upper_edge_and_babies_no_lower(likelihood):
    over_70 = [loss(likelihood, label(70, 116), about(age, 2.0)) for age in (76, 93, 110)]
    assert max(over_70) < 0.05
    assert loss(likelihood, label(0, 2), about(0, 0.5)) < 0.05


def test_the_huber_loss_counts_years_outside_the_bin_and_is_the_usual_one_where_the_age_is_exact():
    import keras

    ages, predicted = np.array([[40, 40], [30, 39], [30, 39], [30, 39]], np.float32), np.array([[43], [35], [29], [49]])
    assert np.allclose(outside(ages, predicted.astype(np.float32)), [3, 0, 1, 10])
    assert np.allclose(inside(ages, np.array([[40.4], [39.5], [39.6], [29.4]], np.float32)), [1, 1, 0, 0])
    plain = keras.losses.Huber(delta=1.0)(label(40)[:, :1], np.array([[43.5]], np.float32))
    assert float(OutsideHuber(1.0)(label(40), np.array([[43.5]], np.float32))) == pytest.approx(float(plain), rel=1e-5)
