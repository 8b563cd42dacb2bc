"""How far an answer can be trusted: one small model of the error, for the age's range and the gender's probability.

A face's age, the spread of its own distribution, its familiarity and the measures of its picture become a few numbers from 0
to 1 (``features`` of the section ``doubt`` in ``config.json``). Weighted and summed they are the logarithm of how far the true
age is likely to lie below and above the answer, and of how much the gender's log odds are to be divided. What is likely so is
made to hold by a factor for each group of faces of about one predicted age and familiarity: of the faces that are *answered*
so, the range holds the labelled age of four in five.

Source: Romano et al., Conformalized Quantile Regression, 2019; Vovk et al., Mondrian Confidence Machine, 2003.
Fitted by ``python -m train.measure.calibrate``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from .faces.quality import MEASURES

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


def features_of(age: np.ndarray, measures: Mapping[str, np.ndarray], specification: list[dict]) -> np.ndarray:
    """(N, F) numbers from 0 to 1: how far each measure is on its way from ``from`` to ``to``.

    Args:
        age: (N,) predicted.
        measures: (N,) each, by the names of :data:`hf_model.faces.quality.MEASURES`; NaN, not known, counts as ``from``.
        specification: of the section, ``{"measure", "from", "to"}`` each; ``"age"`` is the predicted age, and
            ``"unfamiliarity"`` the negative decimal logarithm of the familiarity. ``{"both": [...]}`` is the product of two
            such: what is both blurred and unfamiliar is worse than either says.
    """
    parts = [part for one in specification for part in one.get("both", (one,))]
    values = np.stack([_measure(age, measures, part["measure"]) for part in parts], axis=1)
    start, end = (np.array([part[name] for part in parts]) for name in ("from", "to"))
    scaled = ((np.where(np.isnan(values), start, values) - start) / (end - start)).clip(0, 1)
    features, place = [], 0
    for one in specification:
        many = len(one.get("both", (one,)))
        features.append(scaled[:, place] if many == 1 else scaled[:, place : place + many].prod(axis=1))
        place += many
    return np.stack(features, axis=1)


def _measure(age: np.ndarray, measures: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name == "age":
        return age
    return -np.log10(measures["familiarity"].clip(1e-4, 1)) if name == "unfamiliarity" else measures[name]


def spreads(age: np.ndarray, distribution: np.ndarray, features: np.ndarray, section: dict) -> dict[str, np.ndarray]:
    """(N,) years by which the true age is likely to lie at most ``"younger"`` and ``"older"``, before the groups' factors."""
    low, high = own_ends(distribution)
    own = {"younger": np.maximum(age - low, 0), "older": np.maximum(high - age, 0)}
    made = {}
    for side, years in own.items():
        weights = section[side]
        sums = weights["constant"] + weights["spread"] * np.log1p(years) + features @ np.array(weights["features"])
        made[side] = np.exp(sums)
    return made


def group_of(age: np.ndarray, familiarity: np.ndarray, section: dict) -> tuple[np.ndarray, np.ndarray]:
    """(N,) places of faces' groups by predicted age and by familiarity (not known counts as familiar)."""
    known = np.where(np.isnan(familiarity), 1.0, familiarity)
    return (
        np.searchsorted(section["age_edges"], age, side="right"),
        np.searchsorted(section["familiarity_edges"], known, side="right"),
    )


def age_ranges(
    age: np.ndarray, distribution: np.ndarray, measures: Mapping[str, np.ndarray], section: dict
) -> tuple[np.ndarray, np.ndarray]:
    """``low`` and ``high`` (N,) years of the ranges of faces, which hold the predicted ages.

    Args:
        age: (N,) predicted.
        distribution: (N, A) probabilities of whole years.
        measures: see :func:`features_of`.
        section: ``doubt`` of ``config.json``.
    """
    return _ranges(age, distribution, measures["familiarity"], features_of(age, measures, section["features"]), section)


def _ranges(
    age: np.ndarray, distribution: np.ndarray, familiarity: np.ndarray, features: np.ndarray, section: dict
) -> tuple[np.ndarray, np.ndarray]:
    made = spreads(age, distribution, features, section)
    of_age, of_familiarity = group_of(age, familiarity, section)
    factor = np.array(section["factors"])[of_familiarity, of_age]
    low, high = age - factor * made["younger"], age + factor * made["older"]
    return np.clip(np.minimum(low, age), 0, OLDEST), np.clip(np.maximum(high, age), 0, OLDEST)


def softened(female: np.ndarray, age: np.ndarray, measures: Mapping[str, np.ndarray], section: dict) -> np.ndarray:
    """(N,) probabilities of "female" as measured: the network's log odds, divided by more the less a face can be trusted.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, its temperature a function of the picture.
    """
    return _softened(female, features_of(age, measures, section["features"]), section)


def _softened(female: np.ndarray, features: np.ndarray, section: dict) -> np.ndarray:
    weights = section["gender"]
    sums = weights["constant"] + features @ np.array(weights["features"])
    return 1 / (1 + np.exp(-(logit(female) / np.exp(sums) + weights["shift"])))


def as_arrays(qualities: Sequence[Mapping[str, float | None]]) -> dict[str, np.ndarray]:
    """The measures of N faces as arrays (N,), those that are not known NaN."""
    rows = np.array([[quality.get(name) for name in MEASURES] for quality in qualities], float)
    return dict(zip(MEASURES, rows.T, strict=True))


def age_range(
    age: float, distribution: np.ndarray | None, quality: Mapping[str, float | None], section: dict | None
) -> tuple[float, float] | None:
    """One face's range, None where the model was not calibrated or has no distribution."""
    distributions = None if distribution is None else np.asarray(distribution)[None]
    return trust(np.array([0.5]), np.array([age]), distributions, [quality], section)[1][0]


def trust(
    female: np.ndarray,
    age: np.ndarray,
    distribution: np.ndarray | None,
    qualities: Sequence[Mapping[str, float | None]],
    section: dict | None,
) -> tuple[list[float], list[tuple[float, float] | None]]:
    """Of N faces the probability of "female", and the range: None without a distribution; where the model was not calibrated,
    the probability is as the network says it and there is no range.

    Args:
        female, age: (N,) as the network says them.
        distribution: (N, A) probabilities of whole years, or None.
        qualities: their measures.
        section: ``doubt`` of ``config.json``.
    """
    if not section:
        return [float(one) for one in female], [None] * len(female)
    measures, ages = as_arrays(qualities), np.asarray(age, float)
    features = features_of(ages, measures, section["features"])
    probabilities = _softened(np.asarray(female, float), features, section).tolist()
    if distribution is None:
        return probabilities, [None] * len(probabilities)
    ends = _ranges(ages, np.asarray(distribution, float), measures["familiarity"], features, section)
    return probabilities, [
        (round(low, 1), round(high, 1)) for low, high in zip(*(end.tolist() for end in ends), strict=True)
    ]
