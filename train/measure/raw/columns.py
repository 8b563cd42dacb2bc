"""One table of what is known of each face's answer, and the figures that follow from it.

Every report takes its errors, distances, right genders and coverage from here. The `evaluate` metrics in
``train/measure/metrics/`` compute the same by themselves; a test holds them equal.
"""

import dataclasses

import numpy as np

from hf_model.settings import Decision
from train.measure.metrics.gender_report.gender_report import auc, expected_calibration_error
from train.measure.raw.answers import Answers
from train.measure.raw.bootstrap import bootstrap
from train.measure.raw.labels import Labels

NEAR = 5.0  # years


@dataclasses.dataclass(frozen=True)
class Column:
    """A measure of N faces: ``values`` (N,), and ``among`` (N,), which faces have it."""

    values: np.ndarray
    among: np.ndarray

    def mean(self, rows: np.ndarray) -> float:
        """Its mean over those of some rows that have it; NaN where none has."""
        chosen = rows[self.among[rows]]
        return float(self.values[chosen].mean()) if len(chosen) else float("nan")


def distance_to_bin(age: np.ndarray, labels: Labels) -> np.ndarray:
    """Years from (N,) ages to the labelled bin: 50 to 59 holds ages from 50 up to, not including, 60."""
    inside = (age >= labels.low) & (age < labels.high + 1)
    return np.where(inside, 0.0, np.minimum(np.abs(age - labels.low), np.abs(age - labels.high)))


def columns_of(answers: Answers, decision: Decision) -> dict[str, Column]:
    """Each measure of the faces.

    Of exact ages ``age_mae`` (absolute error, years), ``age_bias`` (signed: predicted less labelled), ``age_cs5``
    (within 5 years) and ``age_interval_coverage``; of bins ``bin_distance``, ``inside_bin`` and ``range_meets_bin``. Of
    known genders ``gender`` (right at 0.5), ``decided`` (outside the uncertain band), ``called_wrong`` and
    ``gender_log_loss``; and at 10 and older ``gender_10plus``, ``women_10plus`` and ``men_10plus``.
    """
    labels, female, found = answers.labels, answers.female, answers.found
    meets = (answers.low <= labels.high) & (answers.high >= labels.low)
    if labels.are_exact:
        error = answers.age - labels.low
        columns = {
            "age_mae": np.abs(error),
            "age_bias": error,
            "age_cs5": np.abs(error) <= NEAR,
            "age_interval_coverage": meets,
        }
    else:
        distance = distance_to_bin(answers.age, labels)
        columns = {"bin_distance": distance, "inside_bin": distance == 0, "range_meets_bin": meets}
    table = {name: Column(values, found) for name, values in columns.items()}
    known = found & (labels.gender >= 0)
    if known.any():
        right = (female >= 0.5) == labels.female
        decided = (female < decision.male_below) | (female > decision.female_above)
        likelihood = np.where(labels.female, female, 1 - female).clip(1e-7, 1)
        table |= {
            "gender": Column(right, known),
            "decided": Column(decided, known),
            "called_wrong": Column(decided & ~right, known),
            "gender_log_loss": Column(-np.log(likelihood), known),
            "gender_10plus": Column(right, known & labels.grown),
            "women_10plus": Column(right, known & labels.grown & labels.female),
            "men_10plus": Column(right, known & labels.grown & ~labels.female),
        }
    return table


def calibration_error(answers: Answers, rows: np.ndarray) -> float:
    """The expected calibration error of the gender, over rows whose gender is known."""
    female = answers.female[rows]
    right = (female >= 0.5) == answers.labels.female[rows]
    return expected_calibration_error(np.maximum(female, 1 - female), right)


def figures_of(answers: Answers, table: dict[str, Column], rows: np.ndarray) -> dict[str, float]:
    """All figures of some faces whose ages and genders are known exactly, by the names of ``metrics.json``."""
    labels, female = answers.labels, answers.female
    errors, right, decided = (table[name].values[rows] for name in ("age_mae", "gender", "decided"))
    women = labels.female[rows]
    nothing = float("nan")
    figures = {
        "age_mae": float(errors.mean()),
        "age_median_error": float(np.median(errors)),
        "age_bias": float(table["age_bias"].values[rows].mean()),
        "age_cs5": float(table["age_cs5"].values[rows].mean()),
        "gender_accuracy": float(right.mean()),
        "gender_auc": auc(female[rows], women),
        "gender_recall_female": float(right[women].mean()) if women.any() else nothing,
        "gender_recall_male": float(right[~women].mean()) if (~women).any() else nothing,
        "gender_ece": calibration_error(answers, rows),
        "gender_coverage": float(decided.mean()),
        "gender_accuracy_decided": float(right[decided].mean()) if decided.any() else nothing,
        "gender_accuracy_uncertain_wrong": float((right & decided).mean()),
        "gender_called_wrong": float((~right & decided).mean()),
        "gender_log_loss": float(table["gender_log_loss"].values[rows].mean()),
    }
    if not np.isnan(answers.low[rows]).any():
        figures["age_interval_coverage"] = float(table["age_interval_coverage"].values[rows].mean())
    return figures


def with_intervals(answers: Answers, decision: Decision) -> dict[str, dict]:
    """The figures of all faces with their bootstrap intervals; undefined ones are left out."""
    table = columns_of(answers, decision)
    return bootstrap(lambda rows: figures_of(answers, table, rows), len(answers))
