"""Training from other weights: what fits is taken, and a plain age head becomes a distribution."""

import numpy as np
import pytest

from hf_model.network.architecture import build_model
from hf_model.network.weights import load_weights, save_weights
from hf_model.settings import Heads
from train.__main__ import parse_arguments
from train.recipe import load_recipe
from train.start import start_from

PLAIN = Heads(8, 1, 4)
BINNED = Heads(8, 1, 4, 117)


def test_a_plain_age_head_becomes_a_distribution_with_the_same_answers(tmp_path):
    plain = build_model(PLAIN)
    save_weights(plain, tmp_path / "plain.safetensors")
    load_weights(plain, tmp_path / "plain.safetensors")  # as stored, in half precision
    network = build_model(BINNED)
    assert start_from(network, tmp_path / "plain.safetensors") == []
    pixels = np.random.default_rng(0).normal(0, 50, (4, 64, 64, 3)).astype(np.float32)
    before, after = plain(pixels, training=False), network(pixels, training=False)
    assert np.allclose(before["age"], after["age"], atol=0.05)
    assert np.allclose(before["gender"], after["gender"], atol=1e-4)
    assert np.allclose(np.sum(after["age_distribution"], axis=1), 1, atol=1e-5)
    assert np.array_equal(np.ravel(network.get_layer("age").kernel), np.arange(117))


def test_what_does_not_fit_is_listed_and_left_as_it_was(tmp_path):
    save_weights(build_model(BINNED), tmp_path / "small.safetensors")
    larger = build_model(Heads(8, 1, 6, 117))
    fresh = start_from(larger, tmp_path / "small.safetensors")
    assert set(fresh) == {
        "age_dense/kernel",
        "age_dense/bias",
        "gender_dense/kernel",
        "gender_dense/bias",
        "age_distribution/kernel",
        "gender/kernel",
    }


def test_the_last_layer_is_written_and_read_as_the_years(tmp_path):
    network = build_model(BINNED)
    save_weights(network, tmp_path / "w.safetensors")
    again = build_model(BINNED)
    load_weights(again, tmp_path / "w.safetensors")
    assert np.array_equal(np.ravel(again.get_layer("age").kernel), np.arange(117))


def test_a_run_may_begin_at_a_later_stage(capsys):
    recipe = load_recipe("best").starting_at("whole")
    assert [stage.name for stage in recipe.stages] == ["whole"]
    assert recipe.label_conflicts == "keep"
    with pytest.raises(ValueError, match="its stages are heads, conv5"):
        load_recipe("best").starting_at("nothing")
    with pytest.raises(SystemExit):
        parse_arguments(["--first-stage", "whole", "--data", "x"])
    assert "--init-from" in capsys.readouterr().err
