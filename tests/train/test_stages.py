"""What a training step moves, and what a recipe says of it."""

import dataclasses

import keras
import numpy as np
import pytest

from tests.train.small import HEADS, stage
from train.batches import Activations, Batches, cache_activations
from train.model import new_model, prepare_stage
from train.recipe import RECIPES, load_recipe


def changed_by_one_step(model, chips):
    before = {v.path: keras.ops.convert_to_numpy(v.value).copy() for v in model.network.variables}
    pixels, targets = Batches(chips["train"], model.recipe, stage("heads"))[0]
    model.run_eagerly = True  # compiling a step takes longer than taking one
    model.train_on_batch(pixels, targets)
    return {
        v.path
        for v in model.network.variables
        if not np.array_equal(before[v.path], keras.ops.convert_to_numpy(v.value))
    }


@pytest.mark.parametrize(
    ("train", "prefixes"),
    [
        ("heads", ("age", "gender")),
        ("conv5", ("age", "gender", "conv5")),
        ("conv4", ("age", "gender", "conv5", "conv4")),
    ],
)
def test_a_step_changes_only_what_its_stage_trains(recipe, chips, train, prefixes):
    model = new_model(recipe, HEADS, None)
    prepare_stage(model, stage(train), 2)
    changed = changed_by_one_step(model, chips)
    assert changed
    assert all(path.startswith(prefixes) for path in changed)
    assert {"age_distribution/kernel", "gender/kernel", "age_conv/kernel", "gender_conv/kernel"} <= changed
    assert "age/kernel" not in changed  # the years
    assert ("conv5_block3_3_conv/kernel" in changed) is ("conv5" in prefixes)
    assert ("conv4_block1_1_conv/kernel" in changed) is ("conv4" in prefixes)
    # The backbone's BatchNorm stays in inference mode, and the heads' too once the features move much.
    assert not any(path.startswith("conv") and "moving" in path for path in changed)
    assert ("age_bn/moving_mean" in changed) is (train != "conv4")


def test_end_to_end_changes_every_kernel_and_every_batchnorm_statistic(recipe, chips):
    model = new_model(recipe, HEADS, None)
    prepare_stage(model, stage("all"), 2)
    changed = changed_by_one_step(model, chips)
    ends = ("/kernel", "/moving_mean", "/moving_variance")
    moved = {v.path for v in model.network.variables if v.path.endswith(ends)} - {"age/kernel"}
    assert moved <= changed
    assert not any(path.startswith("conv") and path.endswith("_conv/bias") for path in changed)


def test_live_normalization_is_what_keras_computes_and_a_convolutions_bias_does_not_matter(recipe, chips):
    model = new_model(dataclasses.replace(recipe, dropout=0.0), HEADS, None)
    network = model.network
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.bias is not None:
            layer.bias.assign(np.random.default_rng(0).normal(0, 0.1, layer.bias.shape))
    pixels = Batches(chips["train"], recipe, stage("heads", batch_size=8))[0][0]
    plain = network(pixels, training=False)
    prepare_stage(model, stage("all"), 2)
    folded = model(pixels, training=False)
    ours, live = model(pixels, training=True), network(pixels, training=True)
    for name in plain:
        assert np.allclose(folded[name], plain[name], rtol=1e-3, atol=1e-3), name
        assert np.allclose(ours[name], live[name], rtol=1e-2, atol=1e-2), name


def test_what_is_trained_is_what_is_shipped(recipe, chips):
    """The training model's answer in inference mode is the plain network's."""
    model = new_model(recipe, HEADS, None)
    pixels = Batches(chips["test"], recipe, stage("heads", batch_size=4))[0][0]
    trained, plain = model(pixels, training=False), model.network(pixels, training=False)
    for name in ("age", "gender", "age_distribution"):
        assert np.allclose(trained[name], plain[name], rtol=1e-4, atol=1e-4)


def test_cached_activations_give_the_same_features_and_are_bounded(recipe, chips, tmp_path):
    model = new_model(recipe, HEADS, None)
    prepare_stage(model, stage("conv5", cached_variants=1), 2)
    batches = Batches(chips["test"], recipe, stage("conv5", batch_size=5))
    features = cache_activations(lambda x: np.asarray(model.frozen(x)), batches, tmp_path / "a.npy", 1.0)
    assert features.shape == (16, 4, 4, 1024)
    direct = np.asarray(model.frozen(batches[1][0]))
    assert np.allclose(features[5:10], direct, rtol=1e-3, atol=1e-3)
    from_cache = model(
        Activations(features, chips["test"], recipe, stage("conv5", batch_size=16))[0][0], training=False
    )
    plain = model.network(np.concatenate([batches[i][0] for i in range(4)]), training=False)
    assert np.allclose(from_cache["age"], plain["age"], rtol=0.01, atol=0.05)
    with pytest.raises(ValueError, match=r"over the recipe's 0\.0 GB|over the recipe's"):
        cache_activations(lambda x: np.asarray(model.frozen(x)), batches, tmp_path / "b.npy", 1e-6)
    assert not (tmp_path / "b.npy").exists()


def test_the_written_recipe_is_kept_to_the_letter():
    seed = load_recipe("seed")
    first, second = seed.stages
    assert (first.train, first.learning_rate, first.size) == ("heads", 1e-4, 224)
    assert (second.train, second.learning_rate, second.size) == ("conv5", 1e-5, 224)
    assert (seed.huber_weight, seed.bce_weight) == (1.0, 0.7)
    assert seed.soft_age_weight == 0
    best = load_recipe("best")
    assert (best.huber_weight, best.bce_weight) == (1.0, 0.7)
    assert best.stages[-1].size == 224


@pytest.mark.parametrize("name", [path.stem for path in RECIPES.glob("*.toml")])
def test_every_recipe_loads(name):
    assert load_recipe(name).stages


def test_bad_recipes_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="Known: best, even, finish, gpu, seed"):
        load_recipe("nothing")
    text = (RECIPES / "seed.toml").read_text()
    for old, new, message in (
        ('train = "heads"', 'train = "head"', "is not one of"),
        ("seed = 0", "seeds = 0", "seeds"),
        ("flip = 0.5", "flop = 0.5", "flop"),
        ("size = 224", "size = 224\nzoom = [0.5, 1.0]", "rising numbers from 1"),
        ("size = 224", "size = 224\nzoom = [1.0, 1.5]", "nothing can be cached"),
    ):
        (tmp_path / "bad.toml").write_text(text.replace(old, new))
        with pytest.raises(ValueError, match=message):
            load_recipe(str(tmp_path / "bad.toml"))
