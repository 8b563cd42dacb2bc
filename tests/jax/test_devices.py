"""One global batch over several devices: the same training as on one, on virtual devices of the processor."""

import os

import numpy as np
import pytest

from tests.support import run_script
from train.recipe import RECIPES

# Twenty steps on made-up chips, and a validation split that does not divide by the devices. By plain gradient descent:
# Adam divides by the size of gradients that are nearly nothing at first, and makes of their rounding what it likes.
TRAIN = """
import sys
sys.modules["tensorflow"] = None
import keras
import train.smoke
from keras.optimizers import SGD
keras.optimizers.AdamW = lambda learning_rate, weight_decay, clipnorm, **more: SGD(1e-3, momentum=0.9)
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
name = "conv5"
train = "conv5"
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


def log_of(folder):
    names, values = (line.split(",") for line in (folder / "log.csv").read_text().splitlines())
    return dict(zip(names, values, strict=True))


@pytest.mark.timeout(900)
def test_two_and_eight_devices_learn_what_one_learns(root, tmp_path, recipe):
    for devices in (1, 2, 8):
        train(root, tmp_path / str(devices), devices, recipe)
    alone = log_of(tmp_path / "1")
    for devices in ("2", "8"):
        together = log_of(tmp_path / devices)
        assert list(together) == list(alone)
        for name, value in alone.items():
            if name.startswith("val_"):  # over its own 45 faces, not over those that fill the last batch up
                assert float(together[name]) == pytest.approx(float(value), rel=0.05, abs=0.03), name
            elif name not in ("stage", "seconds"):
                assert float(together[name]) == pytest.approx(float(value), rel=2e-3, abs=4e-3), name


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
