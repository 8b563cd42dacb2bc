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
    edges as soft, so that every sure and right answer is as good (a flat target would draw "more than 70" to 93).
    Beyond the youngest and the oldest age there is nothing, and no edge.

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


@keras.saving.register_keras_serializable(package="train")
class TaughtLikelihood(AgeLikelihood):
    """:class:`AgeLikelihood`, and the cross-entropy with another model's distribution, which stands behind the label's
    two columns.

    Args:
        share: of the other model; without its distribution, as in validation, the label counts alone.
    """

    def __init__(self, spread: tuple[float, float, float], share: float, **options):
        super().__init__(spread, **options)
        self.share = share

    def call(self, y_true, y_pred):
        of_label = super().call(y_true[:, :2], y_pred)
        if y_true.shape[1] == 2:
            return of_label
        of_teacher = -ops.sum(y_true[:, 2:] * ops.log(y_pred + TINY), axis=1)
        return (1 - self.share) * of_label + self.share * of_teacher


@keras.saving.register_keras_serializable(package="train")
class GenderLoss(keras.losses.Loss):
    """Binary cross-entropy with the label (N, 1), 0 or 1, and with another model's probability in a second column, if
    any.

    Args:
        smoothing: the label is that far from 0 and 1, halved.
        share: of the other model. Where the label is not known (-1) it counts alone.
    """

    def __init__(self, smoothing: float, share: float = 0.0, **options):
        super().__init__(**options)
        self.smoothing, self.share = smoothing, share

    def call(self, y_true, y_pred):
        label, female = y_true[:, 0], ops.clip(y_pred[:, 0], TINY, 1 - TINY)
        of_label = _cross_entropy(label * (1 - self.smoothing) + self.smoothing / 2, female)
        if y_true.shape[1] == 1:
            return of_label
        of_teacher = self.share * _cross_entropy(y_true[:, 1], female)
        return of_teacher + ops.where(label >= 0, (1 - self.share) * of_label, 0.0)


def _cross_entropy(wanted, probability):
    return -(wanted * ops.log(probability) + (1 - wanted) * ops.log(1 - probability))


def _normal_cdf(x):
    return 0.5 * (1 + ops.erf(x / 2**0.5))
