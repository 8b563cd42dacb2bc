"""The parts of the model of the error: what it is fitted to, and how each of its weights is found.

See :mod:`hf_model.doubt` for what they compute, and :mod:`train.measure.calibrate` for how they are put together.
"""

import dataclasses

import numpy as np

from hf_model.doubt import age_ranges, features_of, group_of, logit, own_ends, spreads
from train.data import Chips
from train.measure.groups import pooled_groups
from train.measure.outputs import Raw

COVERAGE = 0.8
SIDES = ("younger", "older")
# What an answer's doubt follows, each from 0 (nothing is wrong) to 1.
FEATURES: list[dict] = [
    {"measure": "age", "from": 20, "to": 0},
    {"measure": "age", "from": 6, "to": 2},
    {"measure": "age", "from": 9, "to": 12},
    {"measure": "age", "from": 30, "to": 20},
    {"measure": "age", "from": 19, "to": 21},
    {"measure": "age", "from": 22, "to": 25},
    {"measure": "age", "from": 45, "to": 90},
    {"measure": "age", "from": 62, "to": 74},
    {"measure": "unfamiliarity", "from": 0.3, "to": 4},
    {"measure": "sharpness", "from": 0.12, "to": 0.0},
    {"measure": "brightness", "from": 0.4, "to": 0.0},
    {"measure": "brightness", "from": 0.7, "to": 1.0},
    {"measure": "contrast", "from": 0.15, "to": 0.0},
    {"measure": "cast", "from": 0.3, "to": 1.2},
    {"measure": "evenness", "from": 0.8, "to": 0.2},
    {"measure": "covered", "from": 0.05, "to": 0.13},
    {"measure": "cut_out", "from": 0.35, "to": 0.8},
    {
        "both": [
            {"measure": "sharpness", "from": 0.12, "to": 0.06},
            {"measure": "unfamiliarity", "from": 0.5, "to": 1.5},
        ]
    },
]
AGE_EDGES = [3, 6, 13, 20, 30, 40, 50, 60, 70]
FAMILIARITY_EDGES = [0.02]
RIDGE = 1e-2  # of the gender's weights; five-fold cross-validation: 1e-3 is worse, 1e-1 a little better
LEAST_ERROR = 0.5  # years: logarithms want something


@dataclasses.dataclass(frozen=True)
class Faces:
    """Raw answers beside the labels: ``age``, ``female``, ``label`` (years) and ``is_female`` (N,), ``distribution`` (N, A),
    ``measures``: (N,) each by name."""

    age: np.ndarray
    female: np.ndarray
    distribution: np.ndarray
    measures: dict[str, np.ndarray]
    label: np.ndarray
    is_female: np.ndarray

    @classmethod
    def of(cls, raw: Raw, chips: Chips) -> "Faces":
        """The raw answers for chips."""
        return cls(raw.age, raw.female, raw.distribution.astype(float), raw.measures, chips.age, chips.gender == 1)

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


def fit_spreads(faces: Faces, weight: np.ndarray) -> dict[str, dict]:
    """The weights of both ends, see :func:`hf_model.doubt.spreads`."""
    from sklearn.linear_model import QuantileRegressor

    features = features_of(faces.age, faces.measures, FEATURES)
    low, high = own_ends(faces.distribution)
    own = {"younger": faces.age - low, "older": high - faces.age}
    error = {"younger": faces.age - faces.label, "older": faces.label - faces.age}
    made = {}
    for side in SIDES:
        inputs = np.column_stack([np.log1p(np.maximum(own[side], 0)), features])
        wanted = np.log(np.maximum(error[side], LEAST_ERROR))
        fitted = QuantileRegressor(quantile=1 - (1 - COVERAGE) / 2, alpha=1e-5, solver="highs")
        fitted.fit(inputs, wanted, sample_weight=weight)
        made[side] = {
            "constant": round(float(fitted.intercept_), 4),
            "spread": round(float(fitted.coef_[0]), 4),
            "features": [round(float(one), 4) for one in fitted.coef_[1:]],
        }
    return made


def fit_gender(faces: Faces, weight: np.ndarray) -> dict:
    """The weights of the temperature's logarithm, see :func:`hf_model.doubt.softened`."""
    import scipy.optimize

    odds, features = logit(faces.female), features_of(faces.age, faces.measures, FEATURES)

    def loss(weights: np.ndarray) -> float:
        cooled = odds / np.exp(weights[0] + features @ weights[2:]) + weights[1]
        signed = np.where(faces.is_female, -cooled, cooled)
        return float(weight @ np.logaddexp(0, signed)) / weight.sum() + RIDGE * float(weights[2:] @ weights[2:])

    best = scipy.optimize.minimize(loss, np.zeros(features.shape[1] + 2), method="L-BFGS-B").x
    return {
        "constant": round(float(best[0]), 4),
        "shift": round(float(best[1]), 4),
        "features": [round(float(one), 4) for one in best[2:]],
    }


def fit_factors(faces: Faces, section: dict) -> list[list[float]]:
    """The factors by familiarity and predicted age, see :func:`hf_model.doubt.age_ranges`."""
    from crepes import ConformalPredictiveSystem

    of_age, of_familiarity = group_of(faces.age, faces.measures["familiarity"], section)
    shape = len(section["familiarity_edges"]) + 1, len(section["age_edges"]) + 1
    groups = pooled_groups(of_age, of_familiarity, shape[1], shape[0])
    made = spreads(faces.age, faces.distribution, features_of(faces.age, faces.measures, FEATURES), section)
    # How far out a label lies, in spreads of the side that it lies on.
    score = np.maximum((faces.age - faces.label) / made["younger"], (faces.label - faces.age) / made["older"])
    numbers = np.arange(groups.max() + 1)
    system = ConformalPredictiveSystem().fit(score, sigmas=np.ones(len(score)), bins=groups[of_familiarity, of_age])
    factors = system.predict_percentiles(
        np.zeros(len(numbers)), sigmas=np.ones(len(numbers)), bins=numbers, higher_percentiles=[100 * COVERAGE]
    ).ravel()
    factors = np.where(np.isfinite(factors), factors, score.max())  # too few faces to say
    return np.maximum(factors, 0)[groups].round(4).tolist()


def plain_scale(clean: Faces, section: dict) -> float:
    """By how much all ranges are to be wider, or narrower, for those of the faces as they are to hold ``COVERAGE``."""
    scales = np.arange(0.85, 1.16, 0.005)

    def off(scale: float) -> float:
        scaled = section | {"factors": np.array(section["factors"]) * scale}
        return abs(float(covered(clean, scaled).mean()) - COVERAGE)

    return float(min(scales, key=lambda scale: (round(off(scale), 3), abs(scale - 1))))


def covered(faces: Faces, section: dict) -> np.ndarray:
    """(N,) whether the label is in the range of its face, to a tenth of a year as it is told."""
    low, high = np.round(age_ranges(faces.age, faces.distribution, faces.measures, section), 1)
    return (low <= faces.label) & (faces.label <= high)


def weights_of(clean: Faces, changed: list[Faces], shares: np.ndarray) -> np.ndarray:
    """(N,) weights of all faces in turn: 1 of those as they are, and as much again shared out among the changed rows."""
    n = len(clean.age)
    parts = [np.full(len(faces.age), share * n / len(faces.age)) for faces, share in zip(changed, shares, strict=True)]
    return np.concatenate([np.ones(n), *parts])
