"""Averaged weights: a running mean over the steps of training, which is judged and ships.

Source: Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; Izmailov et al., Averaging
Weights Leads to Wider Optima, UAI 2018, whose mean is over epochs.
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np


class WeightAverage(keras.callbacks.Callback):
    """Moves a copy of the variables, BatchNorm's statistics among them, towards them after every step.

    Args:
        network: whose variables are averaged.
        momentum: the share of the mean that stays at each step.
    """

    def __init__(self, network: keras.Model, momentum: float):
        super().__init__()
        self.network, self.momentum = network, momentum
        self.values = self._copies()

    def _copies(self) -> dict:
        """The variables' values, by path."""
        values = ((v.path, np.array(keras.ops.convert_to_numpy(v.value))) for v in self.network.variables)
        return {path: keras.ops.convert_to_tensor(value) for path, value in values}

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        now = [v.value for v in self.network.variables]
        if keras.backend.backend() == "torch":  # all in one operation
            import torch

            torch._foreach_lerp_(list(self.values.values()), [v.detach() for v in now], 1 - self.momentum)
            return
        for path, value in zip(list(self.values), now, strict=True):
            self.values[path] += (value - self.values[path]) * (1 - self.momentum)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts, the network holds the mean."""
        own = self._copies()
        self._assign(self.values)
        try:
            yield
        finally:
            self._assign(own)

    def settle(self) -> None:
        """Leaves the mean in the network."""
        self._assign(self.values)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Goes on from kept values, by path."""
        self.values = {path: keras.ops.convert_to_tensor(arrays[path]) for path in self.values}

    def _assign(self, values: dict) -> None:
        for variable in self.network.variables:
            variable.assign(values[variable.path])
