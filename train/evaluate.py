"""Measures a model and writes its ``metrics.json``, the one source of every reported figure.

    python -m train.evaluate --model hf_model --data DIR [--end-to-end] [--robustness] [--plots FOLDER]

Predictions come from the shipped predictor. Intervals are 95 % percentile bootstrap intervals over
faces (1,000 resamples, seeded).
"""

import argparse
import datetime
import io
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator

import datasets
import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageFilter

from dataset_script.utkface import GENDERS, MAX_AGE, RACES
from hf_model.predictor import WEIGHTS_NAME, AgeGenderPredictor
from train.data import Chips, load_chips
from train.files import file_sha256, write_whole
from train.metrics.age_error.age_error import age_error
from train.metrics.gender_report.gender_report import gender_report
from train.scenes import make_scene

RESAMPLES = 1000
SMALLEST_GROUP = 50
AGE_BINS = (0, 3, 6, 13, 20, 30, 40, 50, 60, 70, 80, MAX_AGE + 1)


class Answers:
    """Predictions beside labels, row by row: ages and intervals in years, female probabilities."""

    def __init__(self, chips: Chips, age: np.ndarray, female: np.ndarray, low: np.ndarray, high: np.ndarray):
        self.chips, self.age, self.female, self.low, self.high = chips, age, female, low, high

    def take(self, rows: np.ndarray) -> "Answers":
        """The given rows."""
        return Answers(self.chips.take(rows), self.age[rows], self.female[rows], self.low[rows], self.high[rows])

    def figures(self, decision: dict) -> dict[str, float]:
        """All metrics of these rows."""
        figures = {f"age_{name}": value for name, value in age_error(self.age, self.chips.age).items()}
        report = gender_report(self.female, self.chips.gender, **decision)
        figures |= {f"gender_{name}": value for name, value in report.items()}
        if not np.isnan(self.low).any():
            figures["age_interval_coverage"] = float(
                ((self.low <= self.chips.age) & (self.chips.age <= self.high)).mean()
            )
        return figures


def predict_chips(
    predictor: AgeGenderPredictor, chips: Chips, change: Callable | None = None, label: str = "Predicting"
) -> Answers:
    """The predictor's answers for face chips, each changed first where ``change`` is given."""
    age, female, low, high = (np.full(len(chips), np.nan) for _ in range(4))
    for start in datasets.utils.tqdm(range(0, len(chips), 32), desc=label, unit=" batches"):
        pictures = [
            chip if change is None else change(PIL.Image.fromarray(chip)) for chip in chips.images[start : start + 32]
        ]
        for offset, faces in enumerate(predictor(pictures, faces="none")):
            row = start + offset
            age[row], female[row] = faces[0].age, faces[0].female_probability
            if faces[0].age_interval:
                low[row], high[row] = faces[0].age_interval
    return Answers(chips, age, female, low, high)


def with_intervals(answers: Answers, decision: dict, seed: int = 0) -> dict[str, dict]:
    """``{metric: {"value", "low", "high", "n"}}`` with bootstrap intervals; undefined metrics are left out."""
    random = np.random.default_rng(seed)
    n = len(answers.age)
    # The pictures take no part in a resample; without them it copies a few numbers a face.
    light = Answers(Chips(np.zeros((n, 0)), *[getattr(answers.chips, k) for k in ("age", "gender", "race", "sha256", "duplicate_group")]),
                    answers.age, answers.female, answers.low, answers.high)  # fmt: skip
    samples = [light.take(random.integers(0, n, n)).figures(decision) for _ in range(RESAMPLES)]
    result = {}
    for name, value in light.figures(decision).items():
        drawn = np.array([sample[name] for sample in samples])
        drawn = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(drawn):
            continue
        low, high = np.percentile(drawn, [2.5, 97.5])
        result[name] = {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4), "n": n}
    return result


def age_levels(ages: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Age bins as (name, mask); a bin of fewer than 50 faces is pooled with its younger neighbour."""
    edges = [AGE_BINS[0]]
    for _low, high in itertools.pairwise(AGE_BINS):
        count = ((ages >= edges[-1]) & (ages < high)).sum()
        rest = (ages >= high).sum()
        if count >= SMALLEST_GROUP and (rest >= SMALLEST_GROUP or high == AGE_BINS[-1]):
            edges.append(high)
    if edges[-1] != AGE_BINS[-1]:
        edges.append(AGE_BINS[-1])
    names = [f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)]
    return [(name, (ages >= low) & (ages < high)) for name, low, high in zip(names, edges, edges[1:], strict=False)]


def pooled(levels: list[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    """The levels with at least 50 faces, and one "pooled" level of the others, however small."""
    large = [(name, mask) for name, mask in levels if mask.sum() >= SMALLEST_GROUP]
    small = [mask for _, mask in levels if 0 < mask.sum() < SMALLEST_GROUP]
    if small:
        large.append(("pooled", np.any(small, axis=0)))
    return large


def factors(chips: Chips) -> Iterator[tuple[str, list[tuple[str, np.ndarray]]]]:
    """Each factor with its levels as (name, mask of rows)."""
    ages = age_levels(chips.age)
    genders = [(name, chips.gender == index) for index, name in enumerate(GENDERS)]
    races = [(name, chips.race == index) for index, name in enumerate(RACES)]
    yield "range", [("20-60", (chips.age >= 20) & (chips.age <= 60)), ("13 and older", chips.age >= 13)]
    yield "age", ages
    yield "gender", pooled(genders)
    yield "race", pooled(races)
    yield "age × gender", pooled([(f"{a} {g}", x & y) for a, x in ages for g, y in genders])
    yield "race × gender", pooled([(f"{r} {g}", x & y) for r, x in races for g, y in genders])


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


def measure_end_to_end(predictor: AgeGenderPredictor, chips: Chips, on_chips: Answers, decision: dict) -> dict:
    """Chips pasted on larger pictures and found by the detector, beside the same chips given as such.

    ``overall`` and ``chips`` are both over the found faces; ``missed`` has the detector's misses,
    also by group.
    """
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
    missed: dict[str, dict] = {"overall": {"value": round(float((~found).mean()), 4), "n": len(chips)}}
    for factor, levels in factors(chips):
        if factor != "range":
            missed[factor] = {
                name: {"value": round(float((~found[mask]).mean()), 4), "n": int(mask.sum())}
                for name, mask in levels
                if mask.any()
            }
    return {
        "overall": with_intervals(answers, decision),
        "chips": with_intervals(beside, decision),
        "agreement": {
            "mean_age_difference": round(float(np.abs(answers.age - beside.age).mean()), 4),
            "same_side_of_half": round(float(((answers.female >= 0.5) == (beside.female >= 0.5)).mean()), 4),
        },
        "missed": missed,
    }


def _jpeg(image: PIL.Image.Image, quality: int) -> PIL.Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return PIL.Image.open(buffer).convert("RGB")


def _rotate(image: PIL.Image.Image, degrees: float) -> PIL.Image.Image:
    side = image.width
    padded = PIL.Image.fromarray(np.pad(np.asarray(image), ((side, side), (side, side), (0, 0)), mode="edge"))
    turned = padded.rotate(degrees, PIL.Image.Resampling.BILINEAR)
    return turned.crop((side, side, 2 * side, 2 * side))


def _covered(image: PIL.Image.Image) -> PIL.Image.Image:
    covered = image.copy()
    covered.paste((128, 128, 128), (0, round(image.height * 0.62), image.width, image.height))
    return covered


CHANGES: dict[str, Callable[[PIL.Image.Image], PIL.Image.Image]] = {
    "rotated 15° left": lambda image: _rotate(image, 15),
    "rotated 15° right": lambda image: _rotate(image, -15),
    "brightness × 0.6": lambda image: PIL.ImageEnhance.Brightness(image).enhance(0.6),
    "brightness × 1.4": lambda image: PIL.ImageEnhance.Brightness(image).enhance(1.4),
    "Gaussian blur, 2 px": lambda image: image.filter(PIL.ImageFilter.GaussianBlur(2)),
    "JPEG quality 30": lambda image: _jpeg(image, 30),
    "lower face covered": _covered,
    "64-pixel face": lambda image: image.resize((64, 64), PIL.Image.Resampling.BILINEAR),
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.evaluate", description=__doc__.splitlines()[0])
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
    decision = predictor.config["decision"]
    splits, fingerprint = load_chips(args.data, args.cache)
    chips = splits[args.split]
    answers = predict_chips(predictor, chips)
    rows = np.random.default_rng(0).permutation(len(chips))[: args.limit]
    some = chips.take(np.sort(rows))
    metrics = {
        "weights_sha256": file_sha256(args.model / WEIGHTS_NAME),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": args.recipe or recipe_of(args.model / WEIGHTS_NAME),
        "data": {"fingerprint": fingerprint, "splits": "80/10/10 by salted hash of the duplicate group", "n": {k: len(v) for k, v in splits.items()}},
        "split": args.split,
        "overall": with_intervals(answers, decision),
        "groups": {
            factor: {name: with_intervals(answers.take(np.flatnonzero(mask)), decision) for name, mask in levels if mask.any()}
            for factor, levels in factors(chips)
        },
    }  # fmt: skip
    if not np.isnan(answers.low).any():
        metrics["age_interval_width"] = {"median": round(float(np.median(answers.high - answers.low)), 4)}
        metrics["age_interval_by_predicted_age"] = coverage_by_predicted_age(answers, age_levels(chips.age))
    print_summary(metrics)
    if args.end_to_end:
        metrics["end_to_end"] = measure_end_to_end(predictor, some, answers.take(np.sort(rows)), decision)
    if args.robustness:
        metrics["robustness"] = {"unchanged": with_intervals(answers.take(np.sort(rows)), decision)}
        for name, change in CHANGES.items():
            metrics["robustness"][name] = with_intervals(predict_chips(predictor, some, change, name), decision)
    out = args.out or args.model / "metrics.json"
    write_whole(out, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    print(f"Wrote {out}")
    if args.plots:
        from train.plots import plot_all

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
