"""Training on PyTorch runs the backbone channels first; the activations must be those of Keras's own layers."""

import os

from tests.support import last_json, run_script

COMPARE = """
import json, keras, numpy as np, torch
from hf_model.network.architecture import build_model
from hf_model.network.folding import fold_backbone, run_backbone
model = build_model({"conv_filters": 8, "conv_kernel": 1, "dense_units": 8})
random = np.random.default_rng(0)
for layer in model.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.moving_mean.assign(random.normal(0, 0.1, layer.moving_mean.shape))
        layer.moving_variance.assign(random.uniform(0.5, 2, layer.moving_variance.shape))
pictures = random.uniform(-100, 100, (2, 65, 48, 3)).astype("float32")
with torch.no_grad():
    folded = fold_backbone(model)
    whole, half = run_backbone(folded, pictures), run_backbone(folded, pictures, 1, 3)
    rest = run_backbone(folded, half, 4, 5)
    for name, found in (("conv5_block3_out", whole), ("conv3_block4_out", half)):
        expected = keras.Model(model.inputs, model.get_layer(name).output)(pictures)
        assert found.shape == expected.shape, (found.shape, expected.shape)
        print(json.dumps(float(abs(found - expected).max() / abs(expected).max())))
    print(json.dumps(float(abs(rest - whole).max() / abs(whole).max())))
"""


def test_the_folded_backbone_is_the_same_function_on_torch(root):
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    output = run_script(COMPARE, folder=root, environment=environment)
    differences = [last_json(line) for line in output.splitlines() if line.strip()]
    assert len(differences) == 3
    assert max(differences) < 1e-4


LIVE = """
import dataclasses, json, keras, numpy as np, torch
from train.average import WeightAverage
from train.batches import Batches
from train.model import new_model, prepare_stage
from train.recipe import Stage, load_recipe
from train.smoke import smoke_chips
recipe = dataclasses.replace(load_recipe("best"), compute_dtype="float32", dropout=0.0)
model = new_model(recipe, {"conv_filters": 8, "conv_kernel": 1, "dense_units": 8, "age_bins": 117}, None)
stage = Stage("all", "all", 64, 1, 0.01, batch_size=8, optimizer="sgd")
batches = Batches(smoke_chips(16)[0]["train"], recipe, stage, (0,))
pictures = batches[0][0]
with torch.no_grad():
    prepare_stage(model, stage, 2)
    statistics = {v.path: np.array(keras.ops.convert_to_numpy(v.value)) for v in model.network.variables if "moving" in v.path}
    live, layers = model(pictures, training=True), model.network(pictures, training=True)
    for name in live:
        print(json.dumps(float(abs(live[name] - layers[name]).max() / abs(layers[name]).max())))
assert all(
    not np.array_equal(keras.ops.convert_to_numpy(v.value), statistics[v.path])
    for v in model.network.variables if "moving" in v.path
)
average = WeightAverage(model.network, 0.5)
before = {path: value.clone() for path, value in average.values.items()}
model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[average])
with average.in_place():
    held = model.network.get_layer("conv1_bn").moving_mean.value.detach().clone()
now = model.network.get_layer("conv1_bn").moving_mean.value
path = "conv1_bn/moving_mean"
assert not torch.equal(held, now) and not torch.equal(held, before[path])
assert torch.equal(held, average.values[path])
"""


def test_live_normalization_on_torch_is_what_keras_layers_compute_and_is_averaged(root):
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    output = run_script(LIVE, folder=root, environment=environment)
    differences = [last_json(line) for line in output.splitlines() if line.strip()]
    assert len(differences) == 3
    assert max(differences) < 2e-3
