"""Losses and metrics of an age that is known exactly, or as a bin.

The labels are (N, 2) float32 years: the lowest and the highest age that the label allows, equal where it is exact.
"""

import keras
from keras import ops

from dataset_script.utkface import MAX_AGE

TINY = 1e-7


def outside(ages, predicted):
    """Years (N,) from the predicted ages (N, 1) to the labelled ones, 0 within a bin."""
    ages, age = ops.convert_to_tensor(ages, dtype="float32"), predicted[:, 0]
    low, high = ages[:, 0], ages[:, 1]
    return ops.maximum(ops.maximum(low - age, age - high), 0.0)


def inside(ages, predicted):
    """(N,) 1.0 where a predicted age is of the labelled years, rounded."""
    return ops.cast(outside(ages, predicted) <= 0.5, "float32")


@keras.saving.register_keras_serializable(package="train")
class OutsideHuber(keras.losses.Loss):
    """Huber loss of the distance to the label: of an exact age the usual one.

    Args:
        delta: in years, where the loss goes over from quadratic to linear.
    """

    def __init__(self, delta: float, **options):
        super().__init__(**options)
        self.delta = delta

    def call(self, y_true, y_pred):
        distance = outside(y_true, y_pred)
        return ops.where(distance <= self.delta, 0.5 * ops.square(distance), self.delta * (distance - 0.5 * self.delta))


@keras.saving.register_keras_serializable(package="train")
class AgeLikelihood(keras.losses.Loss):
    """How little of the predicted distribution (N, ages) is where the label says, in nats.

    Of an exact age the cross-entropy with a Gaussian about it; of a bin minus the logarithm of the mass inside it, with
    edges as soft, so that every sure and right answer is as good (a flat target would draw "more than 70" to 93). Beyond
    the youngest and the oldest age there is nothing, and no edge.

    Args:
        spread: (s0, slope, most): the Gaussian's standard deviation is s0 + slope × age years, at most ``most``.

    Source: softened labels: Gao et al., Deep Label Distribution Learning, TIP 2017.
    """

    def __init__(self, spread: tuple[float, float, float], **options):
        super().__init__(**options)
        self.spread = spread

    def _deviation(self, age):
        first, slope, most = self.spread
        return ops.minimum(first + slope * age, most)

    def call(self, y_true, y_pred):
        years = ops.arange(y_pred.shape[-1], dtype="float32")[None]
        low, high = y_true[:, :1], y_true[:, 1:]
        exact = ops.exp(-0.5 * ops.square((years - low) / self._deviation(low)))
        exact = exact / ops.sum(exact, axis=1, keepdims=True)
        cross_entropy = -ops.sum(exact * ops.log(y_pred + TINY), axis=1)
        rising = ops.where(low <= 0, 1.0, _normal_cdf((years - low + 0.5) / self._deviation(low)))
        falling = ops.where(high >= MAX_AGE, 1.0, _normal_cdf((high + 0.5 - years) / self._deviation(high)))
        mass = ops.sum(rising * falling * y_pred, axis=1)
        return ops.where(low[:, 0] == high[:, 0], cross_entropy, -ops.log(mass + TINY))


def _normal_cdf(x):
    return 0.5 * (1 + ops.erf(x / 2**0.5))
