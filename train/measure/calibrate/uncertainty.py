"""Fits the prediction interval of the age and the temperature of the gender, on validation chips and changed copies.

See :mod:`hf_model.calibration` for what it computes. **Spreads:** for either end of the interval, a linear quantile
regression of the logarithm of the signed error (a tenth of the labels lie further out) on the face's own spread, its
predicted age, familiarity and picture. **Groups:** a conformal predictive system (Boström et al., ``crepes``) over
groups of predicted age and familiarity brings the interval to its coverage; groups of fewer than ``LEAST_IN_GROUP``
faces are pooled with their neighbours. A row of changed copies with too low a coverage counts for more in the next of a
few rounds (as in Sagawa et al., Distributionally Robust Neural Networks, 2020), and so do people of about one labelled
age; of how much all copies count in the groups beside the faces as they are, the least is taken at which every row and
every labelled age has its coverage. **Gender:** the logarithm of a temperature, linear in the same numbers, of least
log loss.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from hf_model.calibration import calibrated_probabilities, prediction_intervals
from hf_model.settings import Calibration, TemperatureWeights, as_json
from train.measure.calibrate.error_model import (
    AGE_EDGES,
    COVERAGE,
    FAMILIARITY_EDGES,
    FEATURES,
    Faces,
    as_rows,
    covered,
    fit_factors,
    fit_gender,
    fit_spreads,
    plain_scale,
    weights_of,
)
from train.measure.context import Context
from train.measure.raw.changes import load_rows, spread_rows
from train.measure.raw.labels import Labels

LABEL_EDGES = [6, 13, 20, 30, 40, 50, 60, 70]
MIXTURES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # share of the changed copies that takes part in the groups' factors
TOLERANCE = 0.005  # of the faces as they are, beside COVERAGE
LEAST_CHANGED = 0.78  # of each changed row, on the choosing faces
LEAST_LABELLED, LEAST_OF_LABEL = 0.8, 60  # of each labelled age that so many of the choosing faces have
CHANGED_CHIPS = 600
ROUNDS, STEP, LABEL_STEP = 12, 10.0, 8.0  # of the weights of rows and of labelled ages
LARGEST_WEIGHT = 10.0  # of a labelled age


def rounds_of(
    clean: Faces, changed: list[Faces], everyone: Faces, rounds: int, gender: TemperatureWeights
) -> Iterator[tuple[Calibration, np.ndarray]]:
    """Round by round the calibration without factors, and the share of each changed row (their sum is 1) in its fit.

    Rows that held less than others in one round, and labelled ages that held less than they are to, count for more in
    the next.
    """
    shares = np.full(len(changed), 1 / max(len(changed), 1))
    bins = np.searchsorted(LABEL_EDGES, clean.label, side="right")
    counts = np.maximum(np.bincount(bins, minlength=len(LABEL_EDGES) + 1), 1)
    of_label = np.ones(len(counts))
    for _ in range(rounds):
        weight = weights_of(clean, changed, shares)
        weight[: len(bins)] *= of_label[bins]
        younger, older = fit_spreads(everyone, weight)
        plain = Calibration(COVERAGE, FEATURES, younger, older, AGE_EDGES, FAMILIARITY_EDGES, gender, ())
        yield plain, shares
        made = dataclasses.replace(plain, factors=fit_factors(clean, plain))
        short = np.array([COVERAGE - float(covered(faces, made).mean()) for faces in changed])
        shares = shares * np.exp(STEP * short)
        shares /= max(shares.sum(), 1e-9)
        held = np.bincount(bins, covered(clean, made), len(counts)) / counts
        of_label = np.minimum(of_label * np.exp(LABEL_STEP * np.maximum(LEAST_LABELLED - held, 0)), LARGEST_WEIGHT)


def fit_calibration(clean: Faces, changed: list[Faces], rounds: int = ROUNDS) -> Calibration:
    """The calibration from faces as they are and from each changed row.

    Of all rounds and mixtures, that whose faces as they are hold most nearly what they should among those under which
    every changed row holds ``LEAST_CHANGED`` and every labelled age ``LEAST_LABELLED``; where there is none, that which
    falls least short.
    """
    everyone = Faces.join([clean, *changed])
    gender = fit_gender(everyone, weights_of(clean, changed, np.ones(len(changed)) / max(len(changed), 1)))
    random = np.random.default_rng(0)
    order = [random.permutation(len(faces.age)) for faces in changed]
    best: tuple[tuple, Calibration] | None = None
    for number, (plain, shares) in enumerate(rounds_of(clean, changed, everyone, rounds if changed else 1, gender)):
        for mixture in MIXTURES if changed else (0.0,):
            takes = np.minimum(mixture * shares * len(changed), 1)
            some = [
                faces.take(np.sort(rows[: round(take * len(rows))]))
                for faces, rows, take in zip(changed, order, takes, strict=True)
            ]
            made = dataclasses.replace(plain, factors=fit_factors(Faces.join([clean, *some]), plain))
            scaled = np.array(made.factors) * plain_scale(clean, made)
            made = dataclasses.replace(made, factors=as_rows(scaled))
            score = (round(falls_short(clean, changed, made), 3), mixture, number)
            if best is None or score < best[0]:
                best = (score, made)
    assert best is not None
    return best[1]


def falls_short(clean: Faces, changed: list[Faces], calibration: Calibration) -> float:
    """By how much ranges hold less than they are to: all faces as they are (or more), the weakest changed row, the
    weakest labelled age."""
    held, bins = covered(clean, calibration), np.searchsorted(LABEL_EDGES, clean.label, side="right")
    counts = np.bincount(bins)
    by_label = np.bincount(bins, held)[counts >= LEAST_OF_LABEL] / counts[counts >= LEAST_OF_LABEL]
    return (
        max(abs(float(held.mean()) - COVERAGE) - TOLERANCE, 0.0)
        + max([LEAST_CHANGED - float(covered(faces, calibration).mean()) for faces in changed] + [0.0])
        + max([LEAST_LABELLED - share for share in by_label.tolist()] + [0.0])
    )


def run(context: Context) -> dict:
    """The section ``calibration`` of ``config.json``."""
    chips, count = context.chips("validation"), context.limit_changed or CHANGED_CHIPS
    some = chips.take(spread_rows(len(chips), count))
    clean = Faces.of(context.outputs.chips("validation", chips.images), Labels.of(chips))
    changed = {}
    for name, change in load_rows().items():
        raw = context.outputs.chips(f"validation, {name}", some.images, change)
        changed[name] = Faces.of(raw, Labels.of(some))
    calibration = fit_calibration(clean, list(changed.values()))
    print_summary(clean, changed, calibration)
    return {"calibration": as_json(calibration)}


def print_summary(clean: Faces, changed: dict[str, Faces], calibration: Calibration) -> None:
    """What the choosing faces' ranges hold, and how wide they are."""
    for name, faces in {"as they are": clean, **changed}.items():
        low, high = prediction_intervals(faces.age, faces.distribution, faces.measures, calibration)
        female = calibrated_probabilities(faces.female, faces.age, faces.measures, calibration)
        right = ((female >= 0.5) == faces.is_female).mean()
        print(
            f"{covered(faces, calibration).mean():.3f} inside, {np.median(high - low):5.1f} years wide; gender "
            f"{right:.3f}, "
            f"thought {np.maximum(female, 1 - female).mean():.3f}  {name}"
        )
