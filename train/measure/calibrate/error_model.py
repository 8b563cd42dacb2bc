"""The parts of the calibration: what it is fitted to, and how each of its weights is found.

See :mod:`hf_model.calibration` for what they compute, and :mod:`train.measure.calibrate.uncertainty` for how they are
put together.
"""

import dataclasses

import numpy as np

from hf_model.calibration import features_of, group_of, logit, own_ends, prediction_intervals, spreads
from hf_model.settings import Calibration, Feature, FeatureProduct, SpreadWeights, TemperatureWeights
from train.measure.raw.groups import pooled_groups
from train.measure.raw.labels import Labels
from train.measure.raw.raw import Raw

COVERAGE = 0.8
# What an answer's uncertainty follows, each from 0 (nothing is wrong) to 1.
FEATURES: tuple[Feature | FeatureProduct, ...] = (
    Feature("age", 20, 0),
    Feature("age", 6, 2),
    Feature("age", 9, 12),
    Feature("age", 30, 20),
    Feature("age", 19, 21),
    Feature("age", 22, 25),
    Feature("age", 45, 90),
    Feature("age", 62, 74),
    Feature("unfamiliarity", 0.3, 4),
    Feature("sharpness", 0.12, 0.0),
    Feature("brightness", 0.4, 0.0),
    Feature("brightness", 0.7, 1.0),
    Feature("contrast", 0.15, 0.0),
    Feature("cast", 0.3, 1.2),
    Feature("evenness", 0.8, 0.2),
    Feature("covered", 0.05, 0.13),
    Feature("cut_out", 0.35, 0.8),
    FeatureProduct((Feature("sharpness", 0.12, 0.06), Feature("unfamiliarity", 0.5, 1.5))),
)
AGE_EDGES = (3, 6, 13, 20, 30, 40, 50, 60, 70)
FAMILIARITY_EDGES = (0.02,)
RIDGE = 1e-2  # of the gender's weights; five-fold cross-validation: 1e-3 is worse, 1e-1 a little better
LEAST_ERROR = 0.5  # years: logarithms want something


@dataclasses.dataclass(frozen=True)
class Faces:
    """Raw answers beside the labels: ``age``, ``female``, ``label`` (years) and ``is_female`` (N,), ``distribution``
    (N, A), ``measures``: (N,) each by name."""

    age: np.ndarray
    female: np.ndarray
    distribution: np.ndarray
    measures: dict[str, np.ndarray]
    label: np.ndarray
    is_female: np.ndarray

    @classmethod
    def of(cls, raw: Raw, labels: Labels) -> "Faces":
        """The raw answers for faces of exact ages."""
        return cls(raw.age, raw.female, raw.distribution.astype(float), raw.measures, labels.low, labels.female)

    @classmethod
    def join(cls, parts: list["Faces"]) -> "Faces":
        """All faces of several."""
        arrays = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(cls)
            if field.name != "measures"
        }
        names = parts[0].measures
        return cls(**arrays, measures={name: np.concatenate([part.measures[name] for part in parts]) for name in names})

    def take(self, rows: np.ndarray) -> "Faces":
        """The given rows."""
        arrays = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        measures = arrays.pop("measures")
        return Faces(
            **{name: values[rows] for name, values in arrays.items()},
            measures={name: values[rows] for name, values in measures.items()},
        )


def fit_spreads(faces: Faces, weight: np.ndarray) -> tuple[SpreadWeights, SpreadWeights]:
    """The weights of the younger and the older end, see :func:`hf_model.calibration.spread_years`."""
    from sklearn.linear_model import QuantileRegressor

    features = features_of(faces.age, faces.measures, FEATURES)
    low, high = own_ends(faces.distribution)
    sides = ((faces.age - low, faces.age - faces.label), (high - faces.age, faces.label - faces.age))
    made = []
    for own, error in sides:
        inputs = np.column_stack([np.log1p(np.maximum(own, 0)), features])
        wanted = np.log(np.maximum(error, LEAST_ERROR))
        fitted = QuantileRegressor(quantile=1 - (1 - COVERAGE) / 2, alpha=1e-5, solver="highs")
        fitted.fit(inputs, wanted, sample_weight=weight)
        of_features = tuple(round(float(one), 4) for one in fitted.coef_[1:])
        made.append(SpreadWeights(round(float(fitted.intercept_), 4), round(float(fitted.coef_[0]), 4), of_features))
    return made[0], made[1]


def fit_gender(faces: Faces, weight: np.ndarray) -> TemperatureWeights:
    """The weights of the temperature's logarithm, see :func:`hf_model.calibration.calibrated_probabilities`."""
    import scipy.optimize

    odds, features = logit(faces.female), features_of(faces.age, faces.measures, FEATURES)

    def loss(weights: np.ndarray) -> float:
        cooled = odds / np.exp(weights[0] + features @ weights[2:]) + weights[1]
        signed = np.where(faces.is_female, -cooled, cooled)
        return float(weight @ np.logaddexp(0, signed)) / weight.sum() + RIDGE * float(weights[2:] @ weights[2:])

    best = scipy.optimize.minimize(loss, np.zeros(features.shape[1] + 2), method="L-BFGS-B").x
    constant, shift, *of_features = (round(float(one), 4) for one in best)
    return TemperatureWeights(constant, shift, tuple(of_features))


def fit_factors(faces: Faces, calibration: Calibration) -> tuple[tuple[float, ...], ...]:
    """The factors by familiarity and predicted age, see :func:`hf_model.calibration.prediction_intervals`."""
    from crepes import ConformalPredictiveSystem

    of_age, of_familiarity = group_of(faces.age, faces.measures["familiarity"], calibration)
    shape = len(calibration.familiarity_edges) + 1, len(calibration.age_edges) + 1
    groups = pooled_groups(of_age, of_familiarity, shape[1], shape[0])
    features = features_of(faces.age, faces.measures, FEATURES)
    younger, older = spreads(faces.age, faces.distribution, features, calibration)
    # How far out a label lies, in spreads of the side that it lies on.
    score = np.maximum((faces.age - faces.label) / younger, (faces.label - faces.age) / older)
    numbers = np.arange(groups.max() + 1)
    system = ConformalPredictiveSystem().fit(score, sigmas=np.ones(len(score)), bins=groups[of_familiarity, of_age])
    factors = system.predict_percentiles(
        np.zeros(len(numbers)), sigmas=np.ones(len(numbers)), bins=numbers, higher_percentiles=[100 * COVERAGE]
    ).ravel()
    factors = np.where(np.isfinite(factors), factors, score.max())  # too few faces to say
    return as_rows(np.maximum(factors, 0)[groups])


def as_rows(factors: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Factors as the settings have them."""
    return tuple(map(tuple, factors.round(4).tolist()))


def plain_scale(clean: Faces, calibration: Calibration) -> float:
    """By how much all ranges are to be wider, or narrower, for those of the faces as they are to hold ``COVERAGE``."""
    scales = np.arange(0.85, 1.16, 0.005)

    def off(scale: float) -> float:
        scaled = dataclasses.replace(
            calibration, factors=tuple(map(tuple, (np.array(calibration.factors) * scale).tolist()))
        )
        return abs(float(covered(clean, scaled).mean()) - COVERAGE)

    return float(min(scales, key=lambda scale: (round(off(scale), 3), abs(scale - 1))))


def covered(faces: Faces, calibration: Calibration) -> np.ndarray:
    """(N,) whether the label is in the prediction interval of its face, to a tenth of a year as it is told."""
    low, high = np.round(prediction_intervals(faces.age, faces.distribution, faces.measures, calibration), 1)
    return (low <= faces.label) & (faces.label <= high)


def weights_of(clean: Faces, changed: list[Faces], shares: np.ndarray) -> np.ndarray:
    """(N,) weights of all faces in turn: 1 of those as they are, and as much again shared out among the changed
    rows."""
    n = len(clean.age)
    parts = [np.full(len(faces.age), share * n / len(faces.age)) for faces, share in zip(changed, shares, strict=True)]
    return np.concatenate([np.ones(n), *parts])
