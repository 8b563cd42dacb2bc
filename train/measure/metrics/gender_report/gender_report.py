"""Figures of a female probability against the label, as an `evaluate` metric that loads without a network."""

import datasets
import evaluate
import numpy as np

_DESCRIPTION = """Accuracy at 0.5, area under the ROC curve (auc), recall of each label, expected
calibration error (ece, ten equal bins of confidence), and the uncertain band: coverage (share of
faces outside it), accuracy_decided (among those), accuracy_uncertain_wrong (uncertain counts as
an error), called_wrong (share of all faces outside it and wrong); log_loss in nats."""


def gender_report(
    predictions: np.ndarray, references: np.ndarray, male_below: float = 0.45, female_above: float = 0.55
) -> dict[str, float]:
    """All figures for (N,) female probabilities and labels, 1 female and 0 male; NaN where a class is absent."""
    probability = np.asarray(predictions, float)
    female = np.asarray(references).astype(bool)
    right = (probability >= 0.5) == female
    decided = (probability < male_below) | (probability > female_above)
    return {
        "accuracy": float(right.mean()),
        "auc": auc(probability, female),
        "recall_female": float(right[female].mean()) if female.any() else float("nan"),
        "recall_male": float(right[~female].mean()) if (~female).any() else float("nan"),
        "ece": expected_calibration_error(np.maximum(probability, 1 - probability), right),
        "coverage": float(decided.mean()),
        "accuracy_decided": float(right[decided].mean()) if decided.any() else float("nan"),
        "accuracy_uncertain_wrong": float((right & decided).mean()),
        "called_wrong": float((~right & decided).mean()),
        "log_loss": float(-np.log(np.where(female, probability, 1 - probability).clip(1e-7, 1)).mean()),
    }


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve by ranks, ties counted half (Mann-Whitney)."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence, weighted by size.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    size = np.bincount(index, minlength=bins)
    gap = np.abs(
        np.bincount(index, weights=confidence, minlength=bins) - np.bincount(index, weights=right, minlength=bins)
    )
    return float(gap[size > 0].sum() / len(confidence))


class GenderReport(evaluate.Metric):
    """``evaluate.load("train/measure/metrics/gender_report")`` or imported straight."""

    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description="predictions: probabilities of female; references: 1 female, 0 male.",
            features=datasets.Features(
                {"predictions": datasets.Value("float32"), "references": datasets.Value("int32")}
            ),
        )

    def _compute(self, predictions, references, male_below=0.45, female_above=0.55):
        return gender_report(predictions, references, male_below, female_above)
