"""Losses and metrics of an age that is known exactly, or as a bin.

The labels are (N, 2) float32 years: the lowest and the highest age that the label allows, equal where it is exact.
"""

import keras
from keras import ops

from hf_model.network import losses


def outside(ages, predicted):
    """Years (N,) from the predicted ages (N, 1) to the labelled ones, 0 within a bin."""
    return losses.outside(ops, ops.convert_to_tensor(ages, dtype="float32"), predicted[:, 0])


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
        return losses.huber(ops, ops.convert_to_tensor(y_true, dtype="float32"), y_pred[:, 0], self.delta)


@keras.saving.register_keras_serializable(package="train")
class AgeLikelihood(keras.losses.Loss):
    """:func:`hf_model.network.losses.age_likelihood` of the predicted distribution (N, ages)."""

    def __init__(self, spread: tuple[float, float, float], **options):
        super().__init__(**options)
        self.spread = spread

    def call(self, y_true, y_pred):
        years = ops.arange(y_pred.shape[-1], dtype="float32")[None]
        return losses.age_likelihood(ops, y_true, y_pred, years, self.spread)


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
        of_teacher = -ops.sum(y_true[:, 2:] * ops.log(y_pred + losses.TINY), axis=1)
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
        label, female = y_true[:, 0], y_pred[:, 0]
        of_label = losses.gender_cross_entropy(ops, label, female, self.smoothing)
        if y_true.shape[1] == 1:
            return of_label
        of_teacher = self.share * losses.gender_cross_entropy(ops, y_true[:, 1], female, 0.0)
        return of_teacher + ops.where(label >= 0, (1 - self.share) * of_label, 0.0)
