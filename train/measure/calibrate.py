"""Fits the one model of the error, the section ``doubt`` of config.json, on validation chips and changed copies.

    python -m train.measure.calibrate --model hf_model --data DIR

See :mod:`hf_model.doubt` for what it computes. **Spreads:** for either end of the range, a linear quantile regression of the
logarithm of the signed error (a tenth of the labels lie further out) on the face's own spread, its predicted age, familiarity
and picture. **Groups:** a conformal predictive system (Boström et al., ``crepes``) over groups of predicted age and familiarity
makes what is likely hold; groups of fewer than ``LEAST_IN_GROUP`` faces are pooled with their neighbours. A row of changed copies
whose ranges hold too little counts for more in the next of a few rounds (as in Sagawa et al., Distributionally Robust Neural
Networks, 2020), and so do people of about one labelled age; of how much all copies count in the groups beside the faces as they
are, the least is taken at which every row holds what it is to hold.
**Gender:** the logarithm of a temperature, linear in the same numbers, of least log loss.
"""

import argparse
import dataclasses
import pathlib

import numpy as np

from hf_model.console import expanded_path
from hf_model.doubt import age_ranges, features_of, group_of, logit, own_ends, softened, spreads
from train.config import update_config
from train.data import Chips, load_chips
from train.measure.groups import pooled_groups
from train.measure.outputs import Raw, RawOutputs
from train.measure.robustness import load_rows

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
LABEL_EDGES = [6, 13, 20, 30, 40, 50, 60, 70]
LEAST_ERROR = 0.5  # years: logarithms want something
MIXTURES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # share of the changed copies that takes part in the groups' factors
TOLERANCE = 0.005  # of the faces as they are, beside COVERAGE
LEAST_CHANGED = 0.775  # of each changed row, on the choosing faces
CHANGED_CHIPS = 600
ROUNDS, STEP, LABEL_STEP = 8, 12.0, 6.0  # of the weights of rows and of labelled ages


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
        return float(weight @ np.logaddexp(0, signed)) / weight.sum() + 1e-3 * float(weights[2:] @ weights[2:])

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
    """(N,) whether the label is in the range of its face."""
    low, high = age_ranges(faces.age, faces.distribution, faces.measures, section)
    return (low <= faces.label) & (faces.label <= high)


def weights_of(clean: Faces, changed: list[Faces], shares: np.ndarray) -> np.ndarray:
    """(N,) weights of all faces in turn: 1 of those as they are, and as much again shared out among the changed rows."""
    n = len(clean.age)
    parts = [np.full(len(faces.age), share * n / len(faces.age)) for faces, share in zip(changed, shares, strict=True)]
    return np.concatenate([np.ones(n), *parts])


def fit_evenly(clean: Faces, changed: list[Faces], everyone: Faces, rounds: int) -> tuple[dict, np.ndarray]:
    """The section but for factors and gender, and the share of each changed row (their sum is 1) by which it was fitted last.

    In every round rows and labelled ages that held too little in the one before count for more.
    """
    shares = np.full(len(changed), 1 / max(len(changed), 1))
    clean_bin = np.searchsorted(LABEL_EDGES, clean.label, side="right")
    counts = np.bincount(clean_bin, minlength=len(LABEL_EDGES) + 1)
    of_label, section, used = np.ones(len(counts)), {}, shares
    for _ in range(rounds if changed else 1):
        weight = weights_of(clean, changed, shares)
        weight[: len(clean_bin)] *= of_label[clean_bin]
        section = {"coverage": COVERAGE, "features": FEATURES, **fit_spreads(everyone, weight)}
        section |= {"age_edges": AGE_EDGES, "familiarity_edges": FAMILIARITY_EDGES}
        made = section | {"factors": fit_factors(clean, section)}
        held, used = covered(clean, made), shares
        short = np.array([COVERAGE - float(covered(faces, made).mean()) for faces in changed])
        if changed:
            shares = shares * np.exp(STEP * short)
            shares /= shares.sum()
        short_of_label = COVERAGE - np.bincount(clean_bin, held, len(counts)) / np.maximum(counts, 1)
        of_label *= np.exp(LABEL_STEP * np.where(counts > 0, short_of_label, 0))
        of_label /= np.average(of_label, weights=counts)
    return section, used


def fit_doubt(clean: Faces, changed: list[Faces], rounds: int = ROUNDS) -> dict:
    """The section from faces as they are and from each changed row.

    Of the mixtures, that whose faces as they are hold most nearly what they should among those under which every changed row
    holds ``LEAST_CHANGED``; where there is none, that whose weakest row falls least short.
    """
    everyone = Faces.join([clean, *changed])
    section, used = fit_evenly(clean, changed, everyone, rounds)
    section["gender"] = fit_gender(everyone, weights_of(clean, changed, np.ones(len(changed)) / max(len(changed), 1)))
    random = np.random.default_rng(0)
    order = [random.permutation(len(faces.age)) for faces in changed]
    best: tuple[tuple, dict] | None = None
    for mixture in MIXTURES if changed else (0.0,):
        takes = np.minimum(mixture * used * len(changed), 1)
        some = [
            faces.take(np.sort(rows[: round(take * len(rows))]))
            for faces, rows, take in zip(changed, order, takes, strict=True)
        ]
        made = section | {"factors": fit_factors(Faces.join([clean, *some]), section)}
        made["factors"] = (np.array(made["factors"]) * plain_scale(clean, made)).round(4).tolist()
        off = max(abs(float(covered(clean, made).mean()) - COVERAGE) - TOLERANCE, 0.0)
        lacking = max([LEAST_CHANGED - float(covered(faces, made).mean()) for faces in changed] + [0.0])
        score = (round(off + lacking, 3), mixture)
        if best is None or score < best[0]:
            best = (score, made)
    assert best is not None
    return best[1]


def spread_rows(n: int, changed_chips: int = CHANGED_CHIPS) -> np.ndarray:
    """Which of ``n`` chips are changed: about so many, evenly spread."""
    return np.arange(n)[:: max(n // changed_chips, 1)]


def validation_answers(
    outputs: RawOutputs, chips: Chips, changed_chips: int = CHANGED_CHIPS
) -> tuple[Faces, dict[str, Faces]]:
    """Raw answers for the validation chips, and for each changed row of some of them."""
    clean = outputs.chips("validation", chips.images)
    some = chips.take(spread_rows(len(chips), changed_chips))
    rows = load_rows().items()
    changed = {name: outputs.chips(f"validation, {name}", some.images, change) for name, change in rows}
    return Faces.of(clean, chips), {name: Faces.of(raw, some) for name, raw in changed.items()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.measure.calibrate", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--limit", type=int, help="at most so many chips, to try it small")
    parser.add_argument(
        "--limit-changed",
        type=int,
        default=CHANGED_CHIPS,
        help=f"how many of them are changed (default: {CHANGED_CHIPS})",
    )
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    outputs = RawOutputs(args.model, args.cache)
    chips = load_chips(args.data, args.cache)[0]["validation"]
    if args.limit:
        chips = chips.take(np.sort(np.random.default_rng(1).permutation(len(chips))[: args.limit]))
    clean, changed = validation_answers(outputs, chips, args.limit_changed)
    section = fit_doubt(clean, list(changed.values()))
    update_config(args.model, "doubt", section)
    print_summary(clean, changed, section)


def print_summary(clean: Faces, changed: dict[str, Faces], section: dict) -> None:
    """What the choosing faces' ranges hold, and how wide they are."""
    for name, faces in {"as they are": clean, **changed}.items():
        low, high = age_ranges(faces.age, faces.distribution, faces.measures, section)
        female = softened(faces.female, faces.age, faces.measures, section)
        right = ((female >= 0.5) == faces.is_female).mean()
        print(
            f"{covered(faces, section).mean():.3f} inside, {np.median(high - low):5.1f} years wide; gender {right:.3f}, "
            f"thought {np.maximum(female, 1 - female).mean():.3f}  {name}"
        )


if __name__ == "__main__":
    main()
