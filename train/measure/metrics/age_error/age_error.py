"""Age errors in years, as an `evaluate` metric that loads without a network."""

import datasets
import evaluate
import numpy as np

_DESCRIPTION = """Errors of predicted ages in years: mean absolute error (mae), median absolute error
(median_error), mean signed error (bias, positive where predicted too old), and the cumulative score
at 5 years (cs5): the share of faces whose error is at most 5 years."""


def age_error(predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
    """The four figures for (N,) predicted and labelled ages in years."""
    error = np.asarray(predictions, float) - np.asarray(references, float)
    return {
        "mae": float(np.abs(error).mean()),
        "median_error": float(np.median(np.abs(error))),
        "bias": float(error.mean()),
        "cs5": float((np.abs(error) <= 5).mean()),
    }


class AgeError(evaluate.Metric):
    """``evaluate.load("train/measure/metrics/age_error")`` or imported straight."""

    def _info(self):
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description="predictions and references: ages in years.",
            features=datasets.Features(
                {"predictions": datasets.Value("float32"), "references": datasets.Value("float32")}
            ),
        )

    def _compute(self, predictions, references):
        return age_error(predictions, references)
