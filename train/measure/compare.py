"""The shipped weights beside earlier ones, on the same faces.

    python -m train.measure.compare --before 0.2.0=FOLDER --before start=FOLDER --external SET [--external SET] --data UTKFACE

Of each set and model the error of the age, shares and genders; and, new minus before over the faces that both answered, the paired
differences with 95 % bootstrap intervals. A model is a folder with ``config.json`` and weights; whole genders and ages do not depend on
its calibration. Written to ``train/measure/models.json``. Nothing is chosen by these sets: they report.
"""

import argparse
import functools
import json
import pathlib
from collections.abc import Callable

import numpy as np

from hf_model.console import expanded_path
from hf_model.download import write_whole
from hf_model.settings import Settings
from train.measure.answers import bootstrap
from train.measure.external import Labels, columns_of, figures_by_group, raw_of
from train.measure.outputs import Raw, RawOutputs

RESULTS = pathlib.Path(__file__).with_name("models.json")
SHIPPED = "shipped"
MEASURES = ("age_mae", "age_cs5", "bin_distance", "inside_bin", "gender", "gender_10plus")


def values_of(raw: Raw, labels: Labels, settings: Settings) -> dict[str, np.ndarray]:
    """(N,) of each measure, NaN where a face has none."""
    columns = columns_of(raw, labels, settings)
    return {
        name: np.where(columns[name][1], columns[name][0].astype(float), np.nan) for name in MEASURES if name in columns
    }


def figures_of_set(raw: Raw, labels: Labels, settings: Settings) -> dict[str, float]:
    """The mean of each measure, and the gaps between races."""
    told = {key: round(float(np.nanmean(column)), 4) for key, column in values_of(raw, labels, settings).items()}
    gaps = figures_by_group(raw, labels, settings).get("gaps", {})
    return told | {f"{key}_gap": round(figure["value"], 4) for key, figure in gaps.items()}


def paired(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, dict]:
    """After minus before, over the faces that both have."""
    told: dict[str, dict] = {}
    for name, first in before.items():
        difference = after[name] - first
        difference = difference[~np.isnan(difference)]
        if len(difference):
            told |= bootstrap(functools.partial(_mean, name, difference), len(difference))
    return told


def _mean(name: str, values: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    return {name: float(values[rows].mean())}


def utkface(outputs: RawOutputs, data: str, cache: pathlib.Path) -> tuple[Raw, Labels]:
    """UTKFace's test faces."""
    from train.data import load_chips

    chips = load_chips(data, cache)[0]["test"]
    labels = Labels(
        np.asarray(chips.sha256), chips.age.astype(float), chips.age.astype(float), chips.gender, np.asarray(chips.race)
    )
    return outputs.chips("test", chips.images), labels


def compare(models: dict[str, RawOutputs], answered: Callable[[RawOutputs], tuple[Raw, Labels]]) -> dict:
    """The section of one set: ``models`` by name, and what the last of them gained on each other in ``gained_on``."""
    values, told = {}, {}
    for name, outputs in models.items():
        raw, labels = answered(outputs)
        values[name] = values_of(raw, labels, outputs.settings)
        told[name] = figures_of_set(raw, labels, outputs.settings)
    *earlier, last = values
    return {"models": told, "gained_on": {name: paired(values[name], values[last]) for name in earlier}}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.measure.compare", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument(
        "--before", action="append", default=[], metavar="NAME=FOLDER", required=True, help="earlier weights"
    )
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"), help="that of the new ones")
    parser.add_argument(
        "--external", type=expanded_path, action="append", default=[], help="another set, see train.measure.external"
    )
    parser.add_argument("--data", help="UTKFace: its test faces too")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    folders = dict(text.split("=", 1) for text in args.before) | {SHIPPED: args.model}
    models = {name: RawOutputs(expanded_path(str(folder)), args.cache) for name, folder in folders.items()}
    sets: dict[str, Callable[[RawOutputs], tuple[Raw, Labels]]] = {}
    if args.data:
        sets["utkface"] = functools.partial(utkface, data=args.data, cache=args.cache)
    sets |= {folder.name: functools.partial(raw_of, folder=folder) for folder in args.external}
    made = {name: compare(models, answered) for name, answered in sets.items()}
    keys = {name: outputs.key for name, outputs in models.items()}
    write_whole(RESULTS, json.dumps({"weights_sha256": keys, "sets": made}, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main()
