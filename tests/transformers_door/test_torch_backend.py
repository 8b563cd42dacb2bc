"""Training on PyTorch runs the backbone channels first; the activations must be those of Keras's own layers."""

import csv
import json
import os

import numpy as np

from hf_model.network.weights import read_tensors
from tests.support import last_json, run_script

COMPARE = """
import json, keras, numpy as np, torch
from hf_model.network.architecture import build_model
from hf_model.network.folding import fold_backbone, run_backbone
from hf_model.network.layout import NETWORKS
from hf_model.settings import Heads
model = build_model(Heads(8, 1, 8))
random = np.random.default_rng(0)
for layer in model.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.moving_mean.assign(random.normal(0, 0.1, layer.moving_mean.shape))
        layer.moving_variance.assign(random.uniform(0.5, 2, layer.moving_variance.shape))
pictures = random.uniform(-100, 100, (2, 65, 48, 3)).astype("float32")
with torch.no_grad():
    folded = fold_backbone(model, NETWORKS["resnet50"])
    resnet = NETWORKS["resnet50"]
    whole, half = run_backbone(resnet, folded, pictures), run_backbone(resnet, folded, pictures, 1, 3)
    rest = run_backbone(resnet, folded, half, 4, 5)
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
from hf_model.settings import Heads
from train.model import new_model, prepare_stage
from train.recipe import Stage, load_recipe
from train.smoke import smoke_chips
recipe = dataclasses.replace(load_recipe("best"), compute_dtype="float32", dropout=0.0)
model = new_model(recipe, Heads(8, 1, 8, 117), None)
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


PLAIN = """
import dataclasses, json, keras, numpy as np, torch
from hf_model.network.preprocessing import preprocess
from train.batches import Weights, targets
from train.jobs.gpu.loop import Labels, Trainer
from hf_model.network.torch_network import TorchNetwork, state_of
from hf_model.network.weights import keras_path, to_keras_layout
from hf_model.settings import Heads
from train.model import new_model, prepare_stage
from train.recipe import load_recipe
from train.smoke import smoke_chips
recipe = dataclasses.replace(load_recipe("gpu"), compute_dtype="float32", dropout=0.0, weight_average=0.5)
model = new_model(recipe, Heads(8, 3, 8, 117), None)
prepare_stage(model, dataclasses.replace(recipe.stages[0], size=64, warmup_steps=0, schedule="constant"), 1)
def values():
    return {v.path: np.array(keras.ops.convert_to_numpy(v.value)) for v in model.network.variables}
network = TorchNetwork("resnet50", Heads(8, 3, 8, 117))
state = network.state_dict()
state.update(state_of(values()))
network.load_state_dict(state)
def variables(state):
    return {keras_path("network." + name): to_keras_layout(v.detach().numpy().copy()) for name, v in state.items()}
chips = smoke_chips(16)[0]["train"].take(np.arange(8))
chips.gender[0] = -1
chips.age_high[1] = chips.age_low[1] + 9
weights, rows, pictures = Weights.of(chips, recipe), np.arange(8), chips.images[:8, :64, :64]
labels = Labels.of(vars(chips) | {"age_weight": weights.age, "gender_weight": weights.gender}, "cpu")
trainer = Trainer(network, recipe, "cpu")
told = {}
network.eval()
with torch.no_grad():
    held, plain = model.network(preprocess(pictures), training=False), trainer.answers(torch.from_numpy(pictures))
    told["answers"] = max(float(abs(held[name] - plain[name]).max()) for name in plain)
network.train()
loss, _ = trainer.step(torch.from_numpy(pictures), labels, torch.arange(8), recipe.stages[0].learning_rate, recipe.stages[0].weight_decay)
before = values()
kept = model.train_on_batch(preprocess(pictures), targets(chips, rows), weights.by_output(rows), return_dict=True)
told["loss"] = abs(float(loss) - kept["loss"]) / kept["loss"]
now, mine, average = values(), variables(network.state_dict()), variables(trainer.average)
moved = {path: np.linalg.norm(now[path] - before[path]) for path in mine}
told["steps"] = max(np.linalg.norm(mine[path] - now[path]) / moved[path] for path in mine if moved[path] > 1e-6)
told["moved"] = sum(value > 1e-6 for value in moved.values()) / len(moved)
told["average"] = max(float(abs(average[path] - (before[path] + now[path]) / 2).max()) for path in mine)
print(json.dumps({name: float(value) for name, value in told.items()}))
"""


def test_the_network_of_the_gpu_answers_and_learns_as_the_trained_one(root):
    output = run_script(PLAIN, folder=root, environment={**os.environ, "KERAS_BACKEND": "torch"})
    told = last_json(output)
    assert told["answers"] < 1e-3
    assert told["loss"] < 1e-5
    assert told["moved"] > 0.7
    assert told["steps"] < 1e-2
    assert told["average"] < 1e-4


WHOLE = """
import io, json, pathlib, re, sys
import numpy as np, PIL.Image
from hf_model.network.weights import save_weights
from train.batches import Weights, rows_of_pass
from train.jobs.gpu import __main__ as gpu, packs
from hf_model.settings import Heads
from train.model import new_model
from train.recipe import RECIPES, load_recipe
from train.smoke import smoke_chips
folder = pathlib.Path(sys.argv[1])
text = (RECIPES / "gpu.toml").read_text().replace("size = 160", "size = 32").replace("size = 224", "size = 64")
(folder / "small.toml").write_text(re.sub(r"batch_size = \\d+", "batch_size = 4", text).replace("bfloat16", "float32"))
recipe = load_recipe(str(folder / "small.toml"))
model = new_model(recipe, Heads(8, 1, 8, 117), None)
save_weights(model.network, folder / "start.safetensors")
parts = smoke_chips(16)[0]
packs.write_labels(parts["train"], Weights.of(parts["train"], recipe), rows_of_pass(parts["train"], recipe), folder / "train.npz")
packs.write_labels(parts["validation"], None, None, folder / "validation.npz")
facts = {"heads": {"conv_filters": 8, "conv_kernel": 1, "dense_units": 8, "age_bins": 117}, "data_fingerprint": {}, "n": {}}
(folder / "facts.json").write_text(json.dumps(facts))
(folder / "before").mkdir()
def png(image):
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
packs.write_packs([png(image) for name in ("validation", "train") for image in parts[name].images], folder, 100_000)
gpu.main(["--packs", str(folder), "--recipe", str(folder / "small.toml"), "--seconds", "4", "--judged", "3", "--processes", "2",
          "--device", "cpu", "--out", str(folder / "out")])
"""


def test_a_training_for_the_gpu_runs_through_and_gives_back_what_ships(root, tmp_path):
    run_script(WHOLE, tmp_path, folder=root, environment={**os.environ, "KERAS_BACKEND": "torch"})
    out = tmp_path / "out"
    rows = list(csv.DictReader((out / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[-1]["stage"] == "whole on a GPU"
    assert float(rows[-1]["val_age_mae"]) >= 0
    assert {"model.safetensors.index.json", "run.json", "log.csv", "done", "before"} <= {
        path.name for path in out.iterdir()
    }
    pieces = list(out.glob("model-*.safetensors"))
    assert len(pieces) > 1
    assert all(piece.stat().st_size < 16e6 for piece in pieces)
    assert json.loads((out / "run.json").read_text())["recipe"] == "small"
    back = read_tensors(out / "model.safetensors")
    start = read_tensors(tmp_path / "start.safetensors")
    assert {path: values.shape for path, values in back.items()} == {
        path: values.shape for path, values in start.items()
    }
    assert not np.array_equal(back["conv1_conv/kernel"], start["conv1_conv/kernel"])
    assert (out / "done").exists()
