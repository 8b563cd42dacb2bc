"""Training over several devices: every one has the whole model and a part of each batch (Keras's DataParallel, on
JAX)."""

import sys

import keras
import numpy as np

from train.recipe import Recipe


def use_devices(which: str, recipe: Recipe) -> int:
    """Spreads what is built from here on over the devices; gives their number.

    Args:
        which: ``"one"``, or ``"all"`` of the backend.
        recipe: whose batches are split among them.

    Raises:
        ValueError: the backend does not offer it, or a batch does not divide by the devices.
    """
    if which == "one":
        return 1
    if keras.backend.backend() != "jax":
        raise ValueError(
            f"--devices all works on the JAX backend, not on {keras.backend.backend()!r}: set KERAS_BACKEND=jax."
        )
    devices = keras.distribution.list_devices()
    for stage in recipe.stages:
        if stage.batch_size % len(devices):
            raise ValueError(
                f"--devices all: the batches of {stage.batch_size} in stage {stage.name!r} do not divide by "
                f"{len(devices)} devices. Change batch_size in the recipe, or train on one."
            )
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False))
    print(f"Training on {len(devices)} devices: {', '.join(devices)}", file=sys.stderr)
    return len(devices)


class Padded(keras.utils.PyDataset):
    """Batches filled up to a multiple of the devices by their last row again, which weighs nothing.

    Args:
        batches: gives (pictures, answers by output name).
        multiple: how many devices there are.
    """

    def __init__(self, batches: keras.utils.PyDataset, multiple: int):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.batches, self.multiple = batches, multiple

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int):
        pictures, answers = self.batches[index]
        n = len(pictures)
        more = -n % self.multiple
        # Keras's losses are means over all rows: those that count weigh more by as much as the batch grew.
        weights = np.concatenate([np.full(n, (n + more) / n, np.float32), np.zeros(more, np.float32)])

        def filled(values: np.ndarray) -> np.ndarray:
            return np.concatenate([values, np.repeat(values[-1:], more, axis=0)])

        answers = {name: filled(values) for name, values in answers.items()}
        return filled(pictures), answers, dict.fromkeys(answers, weights)
