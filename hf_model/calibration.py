"""How far an answer can be trusted: the prediction interval of the age, and the calibrated probability of the gender.

A face's age, the spread of its own distribution, its familiarity and the measures of its picture become a few features
from 0 to 1. Weighted and summed they are the logarithm of how far the true age is likely to lie below and above the
answer, and of the temperature by which the gender's log odds are divided. Conformal factors for groups of faces of
about one predicted age and familiarity bring the interval to its coverage: of the faces with about one *predicted* age,
it holds the label of four in five.

Sources: Romano et al., Conformalized Quantile Regression, 2019; Vovk et al., Mondrian Confidence Machine, 2003; Guo et
al., On Calibration of Modern Neural Networks, ICML 2017, its temperature a function of the picture. Fitted by
``python -m train.measure calibrate``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .faces.quality import MEASURES
from .settings import Calibration, Feature, FeatureProduct, SpreadWeights

TAIL = 0.1  # of a face's own distribution beyond its ends on either side
OLDEST = 116.0


def logit(probability):
    """The log odds of a probability, or of an array of them, kept off 0 and 1."""
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.log(clipped / (1 - clipped))


def own_ends(distribution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) ages that a face's own distribution (N, A) of whole years leaves a tenth below, and above, read linearly."""
    below = np.cumsum(distribution, axis=1)
    return tuple(_crossing(below, share) for share in (TAIL, 1 - TAIL))  # type: ignore[return-value]


def _crossing(below: np.ndarray, share: float) -> np.ndarray:
    row = np.arange(len(below))
    after = (below >= share).argmax(axis=1)
    before = np.where(after > 0, below[row, np.maximum(after - 1, 0)], 0)
    return after - 0.5 + (share - before) / np.maximum(below[row, after] - before, 1e-9)


def features_of(
    age: np.ndarray, measures: Mapping[str, np.ndarray], features: Sequence[Feature | FeatureProduct]
) -> np.ndarray:
    """(N, F) numbers from 0 to 1: how far each measure is on its way from a feature's start to its end.

    Args:
        age: (N,) predicted.
        measures: (N,) each, by the names of :data:`hf_model.faces.quality.MEASURES`; NaN, not known, counts as a
            feature's start. ``"age"`` is the predicted age, and ``"unfamiliarity"`` the negative decimal logarithm of
            the familiarity.
    """
    factors = [one.both if isinstance(one, FeatureProduct) else (one,) for one in features]
    single = [one for several in factors for one in several]
    values = np.stack([_measure(age, measures, one.measure) for one in single], axis=1)
    start, end = np.array([one.start for one in single], float), np.array([one.end for one in single], float)
    scaled = ((np.where(np.isnan(values), start, values) - start) / (end - start)).clip(0, 1)
    columns, place = [], 0
    for several in factors:
        columns.append(scaled[:, place : place + len(several)].prod(axis=1))
        place += len(several)
    return np.stack(columns, axis=1)


def _measure(age: np.ndarray, measures: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name == "age":
        return age
    return -np.log10(measures["familiarity"].clip(1e-4, 1)) if name == "unfamiliarity" else measures[name]


def spread_years(years: np.ndarray, features: np.ndarray, weights: SpreadWeights) -> np.ndarray:
    """(N,) years by which the true age is likely to lie at most on one side, before the groups' factors.

    Args:
        years: (N,) from the age to the end of the face's own distribution on that side.
        features: (N, F).
    """
    sums = weights.constant + weights.spread * np.log1p(years) + features @ np.array(weights.features)
    return np.exp(sums)


def spreads(
    age: np.ndarray, distribution: np.ndarray, features: np.ndarray, calibration: Calibration
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) likely years below and above the age, see :func:`spread_years`."""
    low, high = own_ends(distribution)
    return (
        spread_years(np.maximum(age - low, 0), features, calibration.younger),
        spread_years(np.maximum(high - age, 0), features, calibration.older),
    )


def group_of(age: np.ndarray, familiarity: np.ndarray, calibration: Calibration) -> tuple[np.ndarray, np.ndarray]:
    """(N,) places of faces' groups by predicted age and by familiarity (not known counts as familiar)."""
    known = np.where(np.isnan(familiarity), 1.0, familiarity)
    return (
        np.searchsorted(calibration.age_edges, age, side="right"),
        np.searchsorted(calibration.familiarity_edges, known, side="right"),
    )


def prediction_intervals(
    age: np.ndarray,
    distribution: np.ndarray,
    measures: Mapping[str, np.ndarray],
    calibration: Calibration,
    features: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """``low`` and ``high`` (N,) years of the intervals of faces, which hold the predicted ages.

    Args:
        age: (N,) predicted.
        distribution: (N, A) probabilities of whole years.
        measures: see :func:`features_of`.
        features: (N, F), where they are known already.
    """
    if features is None:
        features = features_of(age, measures, calibration.features)
    younger, older = spreads(age, distribution, features, calibration)
    of_age, of_familiarity = group_of(age, measures["familiarity"], calibration)
    factor = np.array(calibration.factors)[of_familiarity, of_age]
    low, high = age - factor * younger, age + factor * older
    return np.clip(np.minimum(low, age), 0, OLDEST), np.clip(np.maximum(high, age), 0, OLDEST)


def calibrated_probabilities(
    female: np.ndarray,
    age: np.ndarray,
    measures: Mapping[str, np.ndarray],
    calibration: Calibration,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """(N,) temperature-scaled probabilities of "female", from the network's own.

    Args:
        female: (N,) the network's.
        age, measures, features: as for :func:`prediction_intervals`.
    """
    if features is None:
        features = features_of(age, measures, calibration.features)
    weights = calibration.gender
    sums = weights.constant + features @ np.array(weights.features)
    return 1 / (1 + np.exp(-(logit(female) / np.exp(sums) + weights.shift)))


def as_arrays(qualities: Sequence[Mapping[str, float | None]]) -> dict[str, np.ndarray]:
    """The measures of N faces as arrays (N,), those that are not known NaN."""
    rows = np.array([[quality.get(name) for name in MEASURES] for quality in qualities], float)
    return dict(zip(MEASURES, rows.T, strict=True))


def calibrate_faces(
    female: np.ndarray,
    age: np.ndarray,
    distribution: np.ndarray | None,
    qualities: Sequence[Mapping[str, float | None]],
    calibration: Calibration | None,
) -> tuple[list[float], list[tuple[float, float] | None]]:
    """Of N faces the calibrated probability of "female" and the interval, None without a distribution; where the model
    was not calibrated, the network's own probability and no interval.

    Args:
        female, age: (N,) as the network says them.
        distribution: (N, A) probabilities of whole years, or None.
        qualities: their measures.
    """
    if calibration is None:
        return [float(one) for one in female], [None] * len(female)
    measures, ages = as_arrays(qualities), np.asarray(age, float)
    features = features_of(ages, measures, calibration.features)
    probabilities = calibrated_probabilities(np.asarray(female, float), ages, measures, calibration, features).tolist()
    if distribution is None:
        return probabilities, [None] * len(probabilities)
    low, high = prediction_intervals(ages, np.asarray(distribution, float), measures, calibration, features)
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return probabilities, [(round(low, 1), round(high, 1)) for low, high in pairs]


def calibrate_interval(
    age: float,
    distribution: np.ndarray | None,
    quality: Mapping[str, float | None],
    calibration: Calibration | None,
) -> tuple[float, float] | None:
    """One face's interval, None where the model was not calibrated or has no distribution."""
    distributions = None if distribution is None else np.asarray(distribution)[None]
    return calibrate_faces(np.array([0.5]), np.array([age]), distributions, [quality], calibration)[1][0]
