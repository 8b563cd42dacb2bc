"""Calibrates the 80 % age interval on the validation split and writes it to config.json.

    python -m train.calibrate_age --model hf_model --data DIR

Split-conformal, in groups by predicted age (Mondrian): in each group the 10 % and 90 % quantiles of
(label − prediction), with the finite-sample correction, are the ends of the interval.
"""

import argparse
import math
import pathlib

import numpy as np

from hf_model.predictor import CONFIG_NAME, AgeGenderPredictor
from train.config import update_config
from train.data import load_chips
from train.evaluate import predict_chips

COVERAGE = 0.8
# Where the groups end, as quantiles of the predicted age: finer at both ends, where errors change fast
# with age and a wide group would be too cautious with babies and too bold with the old.
ENDS = (0.03, 0.06, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.86, 0.91, 0.95, 0.98)


def calibrate(predicted: np.ndarray, labelled: np.ndarray) -> dict:
    """The ``age_interval`` section of ``config.json`` from (N,) predicted and labelled ages in years."""
    edges = np.unique(np.quantile(predicted, ENDS).round(1))
    edges = edges[edges > predicted.min()]  # many babies are guessed at exactly 0: no group lies below that
    group = np.searchsorted(edges, predicted, side="right")
    below, above = [], []
    for index in range(len(edges) + 1):
        residual = np.sort((labelled - predicted)[group == index])
        n = len(residual)
        # Each tail may lose 10 %; ranks are rounded outwards by the n + 1 of conformal prediction.
        tail = (1 - COVERAGE) / 2
        low = residual[max(math.floor((n + 1) * tail) - 1, 0)]
        high = residual[min(math.ceil((n + 1) * (1 - tail)) - 1, n - 1)]
        below.append(round(max(-float(low), 0.0), 2))
        above.append(round(max(float(high), 0.0), 2))
    return {"coverage": COVERAGE, "predicted_age": [float(edge) for edge in edges], "below": below, "above": above}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.calibrate_age", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path("hf_model"))
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    chips = load_chips(args.data, args.cache)[0]["validation"]
    answers = predict_chips(AgeGenderPredictor.from_pretrained(args.model), chips)
    section = calibrate(answers.age, chips.age)
    update_config(args.model / CONFIG_NAME, "age_interval", section)
    error = np.abs(answers.age - chips.age).mean()
    accuracy = ((answers.female >= 0.5) == chips.gender).mean()
    print(f"{section}\non the validation split: age MAE {error:.3f} years, gender accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
