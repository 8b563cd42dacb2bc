"""The losses of an age that is known exactly or as a bin, and of a gender: one formula for Keras and for PyTorch.

``ops`` is the library that computes: ``keras.ops``, or :mod:`torch`. Labels of ages are (N, 2) float32 years: the
lowest and the highest age that the label allows, equal where it is exact. All losses are (N,), one a face.
"""

from typing import Any

TINY = 1e-7  # added to probabilities before a logarithm
OLDEST = 116  # years: above it there is nothing, as below 0


def outside(ops: Any, ages, age):
    """Years (N,) from predicted ages (N,) to the labelled ones, 0 within a bin."""
    low, high = ages[:, 0], ages[:, 1]
    return ops.maximum(ops.maximum(low - age, age - high), ops.zeros_like(age))


def huber(ops: Any, ages, age, delta: float):
    """Huber loss of the distance to the label; ``delta`` in years, where it goes over from quadratic to linear."""
    distance = outside(ops, ages, age)
    return ops.where(distance <= delta, 0.5 * ops.square(distance), delta * (distance - 0.5 * delta))


def age_likelihood(ops: Any, ages, distribution, years, spread: tuple[float, float, float]):
    """How little of a distribution (N, Y) is where the label says, in nats.

    Of an exact age the cross-entropy with a Gaussian about it; of a bin minus the logarithm of the mass inside it, with
    edges as soft, so that every sure and right answer is as good (a flat target would draw "more than 70" to 93).
    Beyond the youngest and the oldest age there is nothing, and no edge.

    Args:
        years: (1, Y) float32, the ages of the distribution.
        spread: (s0, slope, most): the Gaussian's standard deviation is s0 + slope × age years, at most ``most``.

    Source: softened labels: Gao et al., Deep Label Distribution Learning, TIP 2017.
    """
    first, slope, most = spread
    low, high = ages[:, :1], ages[:, 1:]
    low_deviation, high_deviation = (ops.clip(first + slope * age, 0.0, most) for age in (low, high))
    exact = ops.exp(-0.5 * ops.square((years - low) / low_deviation))
    exact = exact / ops.sum(exact, 1)[:, None]
    cross_entropy = -ops.sum(exact * ops.log(distribution + TINY), 1)
    rising, falling = (
        _normal_cdf(ops, (years - low + 0.5) / low_deviation),
        _normal_cdf(ops, (high + 0.5 - years) / high_deviation),
    )
    rising = ops.where(low <= 0, ops.ones_like(rising), rising)
    falling = ops.where(high >= OLDEST, ops.ones_like(falling), falling)
    mass = ops.sum(rising * falling * distribution, 1)
    return ops.where(low[:, 0] == high[:, 0], cross_entropy, -ops.log(mass + TINY))


def gender_cross_entropy(ops: Any, label, female, smoothing: float):
    """Binary cross-entropy (N,) of probabilities of "female" with labels, 0 or 1, that are that far from both,
    halved."""
    wanted, female = label * (1 - smoothing) + smoothing / 2, ops.clip(female, TINY, 1 - TINY)
    return -(wanted * ops.log(female) + (1 - wanted) * ops.log(1 - female))


def _normal_cdf(ops: Any, x):
    return 0.5 * (1 + ops.erf(x / 2**0.5))
