"""95 % intervals of figures: percentiles over resampled faces (1,000 resamples, seeded)."""

from collections.abc import Callable

import numpy as np

RESAMPLES = 1000


def bootstrap(figures: Callable[[np.ndarray], dict[str, float]], n: int, seed: int = 0) -> dict[str, dict]:
    """``{metric: {"value", "low", "high", "n"}}``.

    Args:
        figures: from row numbers to figures; one that is NaN for all rows is left out.
        n: how many rows there are.
    """
    random = np.random.default_rng(seed)
    samples = [figures(random.integers(0, n, n)) for _ in range(RESAMPLES)]
    result = {}
    for name, value in figures(np.arange(n)).items():
        drawn = np.array([sample.get(name, np.nan) for sample in samples])
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(drawn):
            continue
        low, high = np.percentile(drawn, [2.5, 97.5])
        result[name] = {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4), "n": n}
    return result


def mean_with_interval(values: np.ndarray) -> dict:
    """The figure of the mean of (N,) values."""
    return bootstrap(lambda rows: {"value": float(values[rows].mean())}, len(values))["value"]


def means_with_intervals(columns: dict[str, np.ndarray]) -> dict[str, dict]:
    """The figures of the means of several columns (N,) of the same rows."""
    count = len(next(iter(columns.values())))
    return bootstrap(lambda rows: {name: float(values[rows].mean()) for name, values in columns.items()}, count)
