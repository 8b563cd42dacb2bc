"""One global batch over several devices: the same training as on one, on virtual devices of the processor."""

import os

import numpy as np
import pytest

from hf_model.network.weights import read_tensors
from tests.support import run_script
from train.recipe import RECIPES

# Twenty steps on made-up chips, and a validation split that does not divide by the devices. By gradient descent: Adam
# divides by the size of gradients that are nearly nothing, and makes whole steps of their rounding (9e-4 of one bias at
# 1e-5).
TRAIN = """
import sys
sys.modules["tensorflow"] = None
import keras
import train.smoke
from keras.optimizers import SGD
keras.optimizers.AdamW = lambda learning_rate, weight_decay, clipnorm, **more: SGD(2e-5, momentum=0.9, clipnorm=clipnorm)
make = train.smoke.smoke_chips
def chips():
    made, fingerprints = make(320)
    made["validation"] = made["validation"].take(range(45))
    return made, fingerprints
train.smoke.smoke_chips = chips
from train.__main__ import main
main(sys.argv[1:])
"""
# Of a variable's norm, and of what it learned: where the weights begin at nothing (biases whose normalization was
# folded in), a value that rounding puts on the other side of a ReLU is seen (4e-3 of one bias, 1e-2 of one kernel); a
# wrong mean is not so small.
MOST_APART, MOST_OF_LEARNED = 1e-4, 2e-2
LEARNS = "conv5_block2_1_conv/kernel"
STAGE = """
[[stages]]
name = "conv5"
train = "conv5"
size = 32
epochs = 1
learning_rate = 1e-5
"""


def train(root, folder, devices, recipe, *more):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    # XLA's pool has a thread for each core: with fewer cores than devices some wait for others that are given no
    # thread.
    environment["NPROC"] = "32"
    which = "one" if devices == 1 else "all"
    arguments = ("--smoke", "--recipe", recipe, "--devices", which, "--out", folder, *more)
    return run_script(TRAIN, *arguments, folder=root, environment=environment)


@pytest.fixture
def recipe(tmp_path):
    """The written recipe with one short stage, its second one, in batches of 16."""
    seed = (RECIPES / "seed.toml").read_text(encoding="utf-8")
    head = seed[: seed.index("[[stages]]")]
    path = tmp_path / "short.toml"
    path.write_text(head + STAGE, encoding="utf-8")
    return path


def norm(values):
    return float(np.linalg.norm(values.astype(float)))


def log_of(folder):
    names, values = (line.split(",") for line in (folder / "log.csv").read_text().splitlines())
    return dict(zip(names, values, strict=True))


def variables_of(folder):
    with np.load(folder / "checkpoint" / "variables.npz") as arrays:
        return {name: arrays[name] for name in arrays if name.startswith("model:")}


@pytest.mark.timeout(900)
def test_two_and_eight_devices_learn_what_one_learns(root, tmp_path, recipe):
    """Twenty steps from the committed weights: every variable the same within rounding, and the log."""
    weights = ("--init-from", root / "hf_model" / "model.safetensors")
    for devices in (1, 2, 8):
        train(root, tmp_path / str(devices), devices, recipe, *weights)
    alone, log = variables_of(tmp_path / "1"), log_of(tmp_path / "1")
    before = read_tensors(root / "hf_model" / "model.safetensors")
    start = {name: before.get(name.removeprefix("model:"), values) for name, values in alone.items()}
    learned = {name: norm(values - start[name]) for name, values in alone.items()}
    assert learned[f"model:{LEARNS}"] > 1e-3 * norm(alone[f"model:{LEARNS}"])
    for devices in ("2", "8"):
        together, told = variables_of(tmp_path / devices), log_of(tmp_path / devices)
        assert list(told) == list(log)
        apart = {
            name: norm(together[name] - values) / max(MOST_APART * norm(values), MOST_OF_LEARNED * learned[name], 1e-12)
            for name, values in alone.items()
        }
        worst = max(apart, key=apart.__getitem__)
        assert apart[worst] <= 1, f"{worst}: {apart[worst]:.2g} times what it may be on {devices} devices"
        for name, value in log.items():
            if name.startswith("val_"):  # over its own 45 faces, not over those that fill the last batch up
                assert float(told[name]) == pytest.approx(float(value), rel=0.05, abs=0.03), name
            elif name not in ("stage", "seconds"):
                assert float(told[name]) == pytest.approx(float(value), rel=2e-3, abs=4e-3), name


def test_what_cannot_be_split_is_said(root, tmp_path, recipe):
    with pytest.raises(AssertionError, match=r"batches of 16 .* do not divide by 3 devices"):
        train(root, tmp_path / "run", 3, recipe)


def test_a_filled_batch_weighs_its_own_rows_alone():
    import keras

    from train.devices import Padded

    class Three(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.arange(6.0).reshape(3, 2), {"age": np.arange(3.0)[:, None]}

    pictures, answers, weights = Padded(Three(), 8)[0]
    assert pictures.shape == (8, 2)
    assert (pictures[3:] == pictures[2]).all()
    assert answers["age"].shape == (8, 1)
    assert (weights["age"] > 0).tolist() == [True] * 3 + [False] * 5
    assert weights["age"].mean() == pytest.approx(1)  # so that a mean over all rows is that over its own
