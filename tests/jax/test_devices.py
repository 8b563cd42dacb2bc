"""One global batch over several devices: the same training as on one, on virtual devices of the processor."""

import os

import numpy as np
import pytest

from tests.support import run_script
from train.recipe import RECIPES

# Twenty steps on made-up chips, and a validation split that does not divide by the devices. By plain gradient descent:
# how far rounding drives two trainings apart is the question, and not what Adam, which divides by the size of gradients
# that are nearly nothing at first, makes of it (seen: a fifth of a variable's norm).
TRAIN = """
import sys
sys.modules["tensorflow"] = None
import keras
import train.smoke
from keras.optimizers import SGD
keras.optimizers.AdamW = lambda learning_rate, weight_decay, clipnorm: SGD(1e-3, momentum=0.9, clipnorm=clipnorm)
make = train.smoke.smoke_chips
def chips():
    made, fingerprints = make(320)
    made["validation"] = made["validation"].take(range(45))
    return made, fingerprints
train.smoke.smoke_chips = chips
from train.__main__ import main
main(sys.argv[1:])
"""
STAGE = """
[[stages]]
name = "all"
train = "all"
size = 32
epochs = 1
learning_rate = 1e-4
"""


def train(root, folder, devices, recipe, *more):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    which = "one" if devices == 1 else "all"
    arguments = ("--smoke", "--recipe", recipe, "--devices", which, "--out", folder, *more)
    return run_script(TRAIN, *arguments, folder=root, environment=environment)


@pytest.fixture
def recipe(tmp_path):
    """A recipe of one short end-to-end stage in batches of 8."""
    seed = (RECIPES / "seed.toml").read_text(encoding="utf-8")
    head = seed[: seed.index("[[stages]]")]
    path = tmp_path / "short.toml"
    path.write_text(head + STAGE, encoding="utf-8")
    return path


def variables(folder):
    with np.load(folder / "checkpoint" / "variables.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name.startswith("model:")}


@pytest.mark.timeout(900)
def test_two_and_eight_devices_learn_what_one_learns(root, tmp_path, recipe):
    for devices in (1, 2, 8):
        train(root, tmp_path / str(devices), devices, recipe)
    alone = variables(tmp_path / "1")
    for devices in ("2", "8"):
        for name, value in variables(tmp_path / devices).items():
            size = np.linalg.norm(alone[name])
            if size:
                assert np.linalg.norm(value - alone[name]) / size <= 1e-4, (devices, name)
        rows = [(tmp_path / folder / "log.csv").read_text().splitlines() for folder in ("1", devices)]
        assert rows[0][0] == rows[1][0]
        for key, one, other in zip(*(line.split(",") for line in (rows[0][0], rows[0][1], rows[1][1])), strict=True):
            # The validation split of the smoke data does not divide by eight, and is measured over its own faces alone.
            if key.startswith("val_") and not key.endswith("loss"):
                assert float(other) == pytest.approx(float(one), abs=2e-3), key
