"""Training on JAX, where no TensorFlow can be imported: what a GPU machine runs."""

import json
import os
import re

import keras
import numpy as np
import pytest

from hf_model.network.architecture import build_model
from hf_model.network.weights import load_weights
from hf_model.settings import Settings
from tests.support import last_json, run_script
from train.recipe import RECIPES
from train.smoke import smoke_chips

# A module that is None in sys.modules cannot be imported.
TRAIN = """
import sys
sys.modules["tensorflow"] = None
from train.__main__ import main
main(sys.argv[1:])
"""
# The shipped format read back by JAX, and what the network answers there.
ANSWER = """
import sys
sys.modules["tensorflow"] = None
import json, numpy as np
import pathlib
from hf_model.network.architecture import build_model
from hf_model.network.weights import load_weights
from hf_model.settings import Settings
model = build_model(Settings.load(pathlib.Path("hf_model")).heads)
load_weights(model, sys.argv[1])
answers = model(np.load(sys.argv[2]), training=False)
print(json.dumps({name: np.asarray(value).ravel().tolist() for name, value in answers.items()}))
"""
END_TO_END = """
[[stages]]
name = "end to end"
train = "all"
size = 32
epochs = 1
learning_rate = 1e-5
"""


def run_on_jax(root, code, *arguments):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    return run_script(code, *arguments, folder=root, environment=environment)


@pytest.mark.timeout(600)
def test_all_kinds_of_stages_train_on_jax_in_mixed_precision_without_tensorflow(root, tmp_path):
    recipe = (RECIPES / "seed.toml").read_text(encoding="utf-8") + END_TO_END
    # Compiling is what takes time, so the pictures are as small as ResNet50 allows and the epochs one.
    recipe = re.sub(r"(?m)^size = .*", "size = 32", re.sub(r"(?m)^epochs = .*", "epochs = 1", recipe))
    (tmp_path / "short.toml").write_text(recipe.replace('"float32"', '"bfloat16"'), encoding="utf-8")
    run = tmp_path / "run"
    run_on_jax(root, TRAIN, "--smoke", "--recipe", tmp_path / "short.toml", "--out", run)
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert facts["backend"] == "jax"
    assert "compute_dtype='bfloat16'" in facts["recipe_text"]
    stages = [line.split(",")[0] for line in (run / "log.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert stages == ["heads", "conv5", "end to end"]

    pixels = smoke_chips(2)[0]["test"].images[:, :64, :64].astype(np.float32)
    np.save(tmp_path / "pixels.npy", pixels)
    on_jax = last_json(run_on_jax(root, ANSWER, run / "model.safetensors", tmp_path / "pixels.npy"))
    heads = Settings.load(root / "hf_model").heads
    network = build_model(heads)
    load_weights(network, run / "model.safetensors")
    here = network(pixels, training=False)
    assert keras.backend.backend() == "tensorflow"
    for name in ("age", "gender"):
        assert np.allclose(np.ravel(here[name]), on_jax[name], rtol=1e-3, atol=1e-3)
