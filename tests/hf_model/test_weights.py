import json

import keras
import numpy as np
import pytest
import safetensors.numpy

from hf_model.network.architecture import backbone_layers, build_model, head_layers
from hf_model.network.folding import fold_model, run_model
from hf_model.network.layout import NETWORKS
from hf_model.network.weights import (
    WeightsError,
    keras_path,
    load_weights,
    read_tensors,
    save_weights,
    to_keras_layout,
    to_torch_layout,
    torch_name,
)
from hf_model.settings import Heads

HEADS, BINNED = Heads(8, 1, 4), Heads(8, 1, 4, 117)
RESNET = NETWORKS["resnet50"]


@pytest.fixture(scope="module")
def model():
    """A random model with BatchNorm statistics that are not those of a fresh layer."""
    keras.utils.set_random_seed(0)
    model = build_model(HEADS)
    random = np.random.default_rng(0)
    for variable in model.variables:
        if "moving_variance" in variable.path or "gamma" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif "moving_mean" in variable.path or "beta" in variable.path:
            variable.assign(random.normal(0, 0.1, variable.shape))
    model.get_layer("conv1_bn").moving_variance.assign(np.full(64, 134_940.0))  # over float16's range
    return model


@pytest.fixture(scope="module")
def batch():
    return np.random.default_rng(1).uniform(-120, 120, (2, 64, 64, 3)).astype(np.float32)


def outputs(model, batch):
    return np.concatenate(
        [keras.ops.convert_to_numpy(value) for value in model(batch, training=False).values()], axis=1
    )


def test_saved_and_loaded_weights_predict_the_same_twice_in_one_process(model, batch, tmp_path):
    save_weights(model, tmp_path / "a.safetensors")
    first = build_model(HEADS)
    load_weights(first, tmp_path / "a.safetensors")
    save_weights(first, tmp_path / "b.safetensors")
    second = build_model(HEADS)
    load_weights(second, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert np.array_equal(outputs(first, batch), outputs(second, batch))
    assert np.allclose(outputs(model, batch), outputs(first, batch), rtol=0.02, atol=0.02)


def test_only_kernels_are_float16(model, tmp_path):
    save_weights(model, tmp_path / "a.safetensors")
    for name, value in safetensors.numpy.load_file(tmp_path / "a.safetensors").items():
        assert value.dtype == (np.float16 if keras_path(name).endswith("/kernel") else np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("network.age.weight"), "missing: age/kernel"),
        (lambda tensors: tensors.update(extra=np.zeros(1, np.float32)), "not in the model: extra"),
        (lambda tensors: tensors.update({"network.age.bias": np.zeros(2, np.float32)}), r"age/bias has shape \(2,\)"),
        (lambda tensors: tensors.update({"network.age.bias": np.array([np.nan], np.float32)}), "not finite"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_and_changes_nothing(model, batch, tmp_path, change, message):
    path = tmp_path / "a.safetensors"
    save_weights(model, path)
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path)
    fresh = build_model(HEADS)
    before = outputs(fresh, batch)
    with pytest.raises(WeightsError, match=message):
        load_weights(fresh, path)
    assert np.array_equal(outputs(fresh, batch), before)


@pytest.mark.parametrize("heads", [HEADS, BINNED])
def test_files_of_versions_up_to_030_are_read(heads, batch, tmp_path):
    """They have Keras's names and layout."""
    model = build_model(heads)
    variables = {v.path: keras.ops.convert_to_numpy(v.value) for v in model.variables}
    old = {path: v.astype(np.float16) if path.endswith("/kernel") else v for path, v in variables.items()}
    safetensors.numpy.save_file(old, tmp_path / "old.safetensors")
    save_weights(model, tmp_path / "new.safetensors")
    one, other = (read_tensors(tmp_path / name) for name in ("old.safetensors", "new.safetensors"))
    assert one.keys() == other.keys() == variables.keys()
    for path in one:
        assert one[path].dtype == other[path].dtype, path
        assert np.array_equal(one[path], other[path]), path


@pytest.mark.parametrize("network", NETWORKS)
def test_names_and_layouts_go_there_and_back(network):
    for variable in build_model(BINNED, 64, network=network).variables:
        values = np.random.default_rng(0).normal(size=variable.shape).astype(np.float32)
        assert keras_path(torch_name(variable.path)) == variable.path
        assert np.array_equal(to_keras_layout(to_torch_layout(values)), values), variable.path


def test_a_missing_or_broken_file_is_a_clear_error(model, tmp_path):
    with pytest.raises(WeightsError, match="No weights at"):
        load_weights(model, tmp_path / "none.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        load_weights(model, tmp_path / "broken.safetensors")


def test_values_beyond_float16_are_not_written(model, tmp_path):
    kernel = model.get_layer("gender").kernel
    before = keras.ops.convert_to_numpy(kernel.value).copy()
    kernel.assign(np.full(kernel.shape, 1e5))
    with pytest.raises(WeightsError, match="not finite as float16"):
        save_weights(model, tmp_path / "a.safetensors")
    kernel.assign(before)
    assert not list(tmp_path.iterdir())


def test_folding_batchnorm_changes_no_answer(model, batch):
    folded = run_model(RESNET, fold_model(model, RESNET), batch)
    answers = [value for name, value in folded.items() if not name.endswith("_map")]
    values = np.concatenate([keras.ops.convert_to_numpy(value) for value in answers], axis=1)
    assert np.allclose(values, outputs(model, batch), rtol=1e-4, atol=1e-4)


def test_the_architecture_is_the_one_agreed(model):
    assert model.get_layer("age").activation is keras.activations.relu
    assert model.get_layer("gender").activation is keras.activations.sigmoid
    kinds = [type(layer).__name__ for layer in head_layers(model) if layer.name.startswith("age")]
    assert kinds == ["Conv2D", "BatchNormalization", "ReLU", "GlobalAveragePooling2D", "Dense", "Dense"]
    assert len(backbone_layers(model, "conv5")) == 32
    assert 30 < float(model.get_layer("age").bias.value[0]) < 36  # a ReLU that starts alive
    names = [layer.name for layer in model.layers]
    assert names[1:] == [layer.name for layer in build_model(HEADS).layers][1:]


def test_the_committed_weights_are_small_enough_and_fit(root):
    path = root / "hf_model" / "model.safetensors"
    assert path.stat().st_size <= 56e6
    config = json.loads((root / "hf_model" / "config.json").read_text())
    load_weights(build_model(Heads(**config["heads"])), path)
