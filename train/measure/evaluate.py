"""Measures a model and writes its ``metrics.json``, the one source of every reported figure.

    python -m train.measure.evaluate --model hf_model --data DIR [--external FOLDER] [--plots FOLDER]

Predictions come from the shipped predictor. Intervals are 95 % percentile bootstrap intervals over
faces (1,000 resamples, seeded).
"""

import argparse
import datetime
import itertools
import json
import pathlib
from collections.abc import Sequence

import numpy as np

from dataset_script.utkface import MAX_AGE
from hf_model.console import expanded_path
from hf_model.download import WEIGHTS_NAME, file_sha256, write_whole
from hf_model.settings import Decision, QualityLimit, as_json
from train.data import Chips, load_chips
from train.measure import no_faces
from train.measure.adulthood import measure_adulthood
from train.measure.answers import Answers, answers_of, with_intervals
from train.measure.explanations import measure_explanations
from train.measure.external import measure_external
from train.measure.groups import AGE_BINS, factors
from train.measure.outputs import Raw, RawOutputs
from train.measure.precisions import measure_precisions
from train.measure.robustness import ADULT_LOOKS, changed_rows, compare_with_unchanged, load_rows
from train.measure.scenes import make_scene
from train.measure.trust import by_predicted_age, earned_warnings, errors_by_predicted_age

MOST_TILT = 30.0  # degrees


def confusion(answers: Answers, decision: Decision) -> dict:
    """How many faces of each label got each answer: what corrects the shares that a bulk run counts.

    Returns:
        ``age_bands``; ``age``: rows of labelled, columns of predicted bands; ``gender``: rows labelled male and female,
        columns called male, uncertain and female; the last two of people of 13 and older.
    """
    bands = [f"{low}-{high - 1}" for low, high in itertools.pairwise(AGE_BINS)]
    starts = np.array(AGE_BINS[:-1])
    labelled, predicted = (
        np.searchsorted(starts, ages, side="right") - 1 for ages in (answers.chips.age, answers.age.clip(0, MAX_AGE))
    )
    ages = np.zeros((len(bands), len(bands)), int)
    np.add.at(ages, (labelled, predicted), 1)
    called = np.where(answers.female < decision.male_below, 0, np.where(answers.female > decision.female_above, 2, 1))
    genders = np.zeros((2, 3), int)
    older = answers.chips.age >= ADULT_LOOKS
    np.add.at(genders, (answers.chips.gender[older], called[older]), 1)
    return {"age_bands": bands, "age": ages.tolist(), "gender": genders.tolist()}


def figures_of(answers: Answers, decision: Decision) -> dict:
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
    sections["confusion"] = confusion(answers, decision)
    if not np.isnan(answers.low).any():
        sections["age_interval_width"] = {"median": round(float(np.median(answers.high - answers.low)), 4)}
    sections["by_predicted_age"] = by_predicted_age(answers, decision)
    sections["errors_by_predicted_age"] = errors_by_predicted_age(answers)
    return sections


def measure_end_to_end(outputs: RawOutputs, split: str, on_chips: Answers, most_tilt: float = 0.0) -> dict:
    """Chips pasted on larger pictures and found by the detector, beside the same chips given as such.

    Args:
        most_tilt: the pictures are turned by up to so many degrees.

    ``overall`` and ``chips`` are both over the found faces; ``missed`` has the detector's misses,
    also by group.
    """
    chips, decision = on_chips.chips, outputs.settings.decision
    random = np.random.default_rng(0)
    scenes = (make_scene(image, random, most_tilt=most_tilt).image for image in chips.images)
    part = f"{split}, in scenes" + (f" tilted by up to {most_tilt:g}°" if most_tilt else "")
    raw = outputs.photos(part, scenes, len(chips), chips.images[:, ::20, ::20])
    found = ~np.isnan(raw.age)
    rows = np.flatnonzero(found)
    answers = answers_of(raw.take(rows), chips.take(rows), outputs.settings)
    same = on_chips.take(rows)
    return {
        "overall": with_intervals(answers, decision),
        "chips": with_intervals(same, decision),
        "agreement": {
            "mean_age_difference": round(float(np.abs(answers.age - same.age).mean()), 4),
            "same_side_of_half": round(float(((answers.female >= 0.5) == (same.female >= 0.5)).mean()), 4),
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


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.measure.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", type=expanded_path, default=pathlib.Path("hf_model"), help="model folder (default: hf_model)"
    )
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--external", type=expanded_path, action="append", default=[], help="folder of other photos")
    parser.add_argument("--split", default="test", choices=["validation", "test"])
    parser.add_argument("--recipe", help="name of the recipe that made the weights (default: what the weights say)")
    parser.add_argument("--limit", type=int, help="at most so many faces of the split, to try it small")
    parser.add_argument(
        "--limit-changed", type=int, help="at most so many faces for the changed rows, the slowest part"
    )
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    parser.add_argument("--out", type=expanded_path, help="default: metrics.json in the model folder")
    parser.add_argument(
        "--plots", type=expanded_path, help="folder for PNG plots (default: plots/ beside what is written)"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)

    from train.measure.plots import plot_all

    outputs = RawOutputs(args.model, args.cache)
    splits, fingerprints = load_chips(args.data, args.cache)
    chips = splits[args.split]
    if args.limit:
        chips = chips.take(np.sort(np.random.default_rng(0).permutation(len(chips))[: args.limit]))
    metrics: dict = {
        "weights_sha256": file_sha256(args.model / WEIGHTS_NAME),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": args.recipe or recipe_of(args.model / WEIGHTS_NAME),
        "data": {
            "fingerprint": fingerprints,
            "splits": "80/10/10 by salted hash of the duplicate group",
            "n": {name: len(split) for name, split in splits.items()},
        },
        "split": args.split,
        "engine": outputs.predictor.engine,
    }
    raw = outputs.chips(args.split, chips.images)
    answers = answers_of(raw, chips, outputs.settings)
    metrics |= figures_of(answers, outputs.settings.decision)
    print_summary(metrics)
    metrics["adulthood"] = measure_adulthood(answers.age, chips.age)
    metrics["end_to_end"] = measure_end_to_end(outputs, args.split, answers)
    metrics["end_to_end"]["tilted"] = measure_end_to_end(outputs, args.split, answers, MOST_TILT)
    metrics["robustness"], changed = measure_robustness(outputs, args.split, raw, answers, args.limit_changed)
    if limits := outputs.settings.quality:
        metrics["quality"] = {"limits": as_json(limits), "no_faces": measure_no_faces(outputs, chips, limits)}
        clean = changed.pop("unchanged")
        metrics["warned"] = earned_warnings(changed, clean, limits)
    out = args.out or args.model / "metrics.json"
    metrics["engines"] = engines_of(out, metrics["weights_sha256"]) | measure_precisions(
        args.model, args.cache, chips, args.split, answers
    )
    metrics["explanation"] = measure_explanations(outputs.predictor, chips, args.limit_changed)
    metrics["external"] = dict(measure_external(outputs, folder) for folder in args.external)
    write_whole(out, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    print(f"Wrote {out}")
    plot_all(answers, metrics, args.plots or out.parent / "plots")


def measure_robustness(
    outputs: RawOutputs, split: str, raw: Raw, unchanged: Answers, limit: int | None = None
) -> tuple[dict[str, dict], dict[str, tuple[Raw, Answers]]]:
    """The figures of the chips, or of ``limit`` of them, as they are and after each change of ``robustness.toml``; and the
    answers themselves."""
    some = changed_rows(len(unchanged.age), limit)
    unchanged = unchanged.take(some)
    chips, decision = unchanged.chips, outputs.settings.decision
    rows = {"unchanged": compare_with_unchanged(unchanged, unchanged, decision)}
    answered = {"unchanged": (raw.take(some), unchanged)}
    for name, change in load_rows().items():
        changed = outputs.chips(f"{split}, {name}", chips.images, change)
        answered[name] = changed, answers_of(changed, chips, outputs.settings)
        rows[name] = compare_with_unchanged(answered[name][1], unchanged, decision)
    return rows, answered


def measure_no_faces(outputs: RawOutputs, chips: Chips, limits: Sequence[QualityLimit]) -> dict:
    """The section ``no_faces``: things that are none, and small and turned faces, see :mod:`train.measure.no_faces`."""
    thresholds = {limit.measure: limit.threshold for limit in limits}
    count = min(no_faces.PICTURES, len(chips))
    none = no_faces.candidates(outputs.predictor, no_faces.faceless(chips, count), False)
    real = no_faces.candidates(outputs.predictor, no_faces.real_scenes(chips, count), True)
    return no_faces.figures(none, real, thresholds.get("level", 0.0), thresholds.get("familiarity", 0.0))


def engines_of(path: pathlib.Path, weights_sha256: str) -> dict:
    """The section ``engines`` of a ``metrics.json`` of the same weights: this processor may lack what they were measured with."""
    if not path.is_file():
        return {}
    earlier = json.loads(path.read_text(encoding="utf-8"))
    return earlier.get("engines", {}) if earlier["weights_sha256"] == weights_sha256 else {}


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
