"""Measures a model and writes its ``metrics.json``, the one source of every reported figure.

    python -m train.measure.evaluate --model hf_model --data DIR [--end-to-end] [--robustness] [--plots FOLDER]

Predictions come from the shipped predictor. Intervals are 95 % percentile bootstrap intervals over
faces (1,000 resamples, seeded).
"""

import argparse
import datetime
import json
import pathlib

import datasets
import numpy as np

from hf_model.download import WEIGHTS_NAME
from hf_model.predictor import AgeGenderPredictor
from train.data import Chips, load_chips
from train.files import file_sha256, write_whole
from train.measure.answers import Answers, predict_chips, with_intervals
from train.measure.groups import age_levels, factors
from train.measure.robustness import measure_robustness
from train.measure.scenes import make_scene


def coverage_by_predicted_age(answers: Answers, levels: list[tuple[str, np.ndarray]]) -> dict[str, dict]:
    """Share of labels inside the interval, for faces predicted to be in the age bins of ``levels``."""
    inside = (answers.low <= answers.chips.age) & (answers.chips.age <= answers.high)
    coverage = {}
    for name, _mask in levels:
        low, high = map(int, name.split("-"))
        rows = (answers.age >= low) & (answers.age < high + 1)
        if rows.any():
            coverage[name] = {"value": round(float(inside[rows].mean()), 4), "n": int(rows.sum())}
    return coverage


def figures_of(answers: Answers, decision: dict) -> dict:
    """The sections of ``metrics.json`` that rest on the chips as they are: overall, by group, and the range's."""
    sections: dict = {
        "overall": with_intervals(answers, decision),
        "groups": {
            factor: {
                name: with_intervals(answers.take(np.flatnonzero(mask)), decision)
                for name, mask in levels
                if mask.any()
            }
            for factor, levels in factors(answers.chips)
        },
    }
    if not np.isnan(answers.low).any():
        sections["age_interval_width"] = {"median": round(float(np.median(answers.high - answers.low)), 4)}
        sections["age_interval_by_predicted_age"] = coverage_by_predicted_age(answers, age_levels(answers.chips.age))
    return sections


def measure_end_to_end(predictor: AgeGenderPredictor, on_chips: Answers) -> dict:
    """Chips pasted on larger pictures and found by the detector, beside the same chips given as such.

    ``overall`` and ``chips`` are both over the found faces; ``missed`` has the detector's misses,
    also by group.
    """
    chips, decision = on_chips.chips, predictor.config["decision"]
    random = np.random.default_rng(0)
    found = np.zeros(len(chips), bool)
    values = np.full((4, len(chips)), np.nan)
    for row in datasets.utils.tqdm(range(len(chips)), desc="End to end", unit=" scenes"):
        faces = predictor(make_scene(chips.images[row], random).image)
        if faces:
            found[row] = True
            interval = faces[0].age_interval or (np.nan, np.nan)
            values[:, row] = faces[0].age, faces[0].female_probability, *interval
    answers = Answers(chips, *values).take(np.flatnonzero(found))
    beside = on_chips.take(np.flatnonzero(found))
    return {
        "overall": with_intervals(answers, decision),
        "chips": with_intervals(beside, decision),
        "agreement": {
            "mean_age_difference": round(float(np.abs(answers.age - beside.age).mean()), 4),
            "same_side_of_half": round(float(((answers.female >= 0.5) == (beside.female >= 0.5)).mean()), 4),
        },
        "missed": misses(found, chips),
    }


def misses(found: np.ndarray, chips: Chips) -> dict[str, dict]:
    """The share of faces that the detector missed, overall and by group, from (N,) whether each was found."""
    missed: dict[str, dict] = {"overall": {"value": round(float((~found).mean()), 4), "n": len(chips)}}
    for factor, levels in factors(chips):
        if factor != "range":
            missed[factor] = {
                name: {"value": round(float((~found[mask]).mean()), 4), "n": int(mask.sum())}
                for name, mask in levels
                if mask.any()
            }
    return missed


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", type=pathlib.Path, default=pathlib.Path("hf_model"), help="model folder (default: hf_model)"
    )
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--split", default="test", choices=["validation", "test"])
    parser.add_argument("--recipe", help="name of the recipe that made the weights (default: what the weights say)")
    parser.add_argument("--end-to-end", action="store_true", help="also through the detector")
    parser.add_argument("--robustness", action="store_true", help="also on changed chips")
    parser.add_argument("--limit", type=int, help="at most so many faces for the two slow parts")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--out", type=pathlib.Path, help="default: metrics.json in the model folder")
    parser.add_argument("--plots", type=pathlib.Path, help="folder for PNG plots")
    args = parser.parse_args(argv)

    predictor = AgeGenderPredictor.from_pretrained(args.model)
    splits, fingerprint = load_chips(args.data, args.cache)
    chips = splits[args.split]
    answers = predict_chips(predictor, chips)
    about = {
        "weights_sha256": file_sha256(args.model / WEIGHTS_NAME),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": args.recipe or recipe_of(args.model / WEIGHTS_NAME),
        "data": {
            "fingerprint": fingerprint,
            "splits": "80/10/10 by salted hash of the duplicate group",
            "n": {name: len(split) for name, split in splits.items()},
        },
        "split": args.split,
    }
    metrics = about | figures_of(answers, predictor.config["decision"])
    print_summary(metrics)
    rows = np.sort(np.random.default_rng(0).permutation(len(chips))[: args.limit])
    if args.end_to_end:
        metrics["end_to_end"] = measure_end_to_end(predictor, answers.take(rows))
    if args.robustness:
        metrics["robustness"] = measure_robustness(predictor, answers.take(rows))
    out = args.out or args.model / "metrics.json"
    write_whole(out, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    print(f"Wrote {out}")
    if args.plots:
        from train.measure.plots import plot_all

        plot_all(answers, metrics, args.plots)


def recipe_of(weights: pathlib.Path) -> str:
    """The recipe that a weights file says it was made by."""
    import safetensors

    with safetensors.safe_open(weights, framework="numpy") as file:
        return (file.metadata() or {}).get("recipe", "unknown")


def print_summary(metrics: dict) -> None:
    """The figures most asked for, to the terminal."""
    for title, figures in [
        ("overall", metrics["overall"]),
        *metrics["groups"]["range"].items(),
        *metrics["groups"]["age"].items(),
    ]:
        mae, accuracy, auc = (
            figures.get(key, {}).get("value", float("nan")) for key in ("age_mae", "gender_accuracy", "gender_auc")
        )
        print(f"{title:>14}: n {figures['age_mae']['n']:5d}  MAE {mae:5.2f}  gender {accuracy:.4f}  AUC {auc:.4f}")


if __name__ == "__main__":
    main()
