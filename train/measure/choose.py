"""New weights paired beside the ones before, on the same faces.

    python -m train.measure.choose --before FOLDER --model hf_model --external SET [--external SET] [--data UTKFACE]

Error of the age and log loss and errors of the gender, new minus before, over the faces that both answered, with 95 % bootstrap
intervals: below 0 is better. Calibrate both models first. Nothing is chosen by these sets: they report.
"""

import argparse
import functools
import pathlib
from collections.abc import Callable

import numpy as np

from hf_model.console import expanded_path
from train.measure.answers import bootstrap
from train.measure.external import Labels, columns_of, raw_of
from train.measure.outputs import Raw, RawOutputs

LOWER_IS_BETTER = ("age_mae", "bin_distance", "gender_log_loss", "gender", "gender_10plus")


def losses(raw: Raw, labels: Labels, config: dict) -> dict[str, np.ndarray]:
    """(N,) of each face, NaN where it has none: errors of the age, log loss, and 1 where the gender is wrong."""
    made = {}
    for name, (values, among) in columns_of(raw, labels, config).items():
        if name in LOWER_IS_BETTER:
            wrong = 1 - values.astype(float) if name.startswith("gender") and name != "gender_log_loss" else values
            made[name] = np.where(among, wrong, np.nan)
    return made


def compare_runs(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, dict]:
    """The paired differences over the faces that both have."""
    told: dict[str, dict] = {}
    for name, first in before.items():
        difference = after[name] - first
        told |= bootstrap(
            functools.partial(_mean, name, difference[~np.isnan(difference)]), int((~np.isnan(difference)).sum())
        )
    return told


def _mean(name: str, values: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    return {name: float(values[rows].mean())}


def utkface(outputs: RawOutputs, data: str, cache: pathlib.Path) -> tuple[Raw, Labels]:
    """UTKFace's test faces."""
    from train.data import load_chips

    chips = load_chips(data, cache)[0]["test"]
    names = np.array([f"{row:06d}" for row in range(len(chips))])
    labels = Labels(names, chips.age.astype(float), chips.age.astype(float), chips.gender, np.asarray(chips.race))
    return outputs.chips("test", chips.images), labels


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.choose", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=expanded_path, required=True, help="model folder of the weights there are")
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"), help="that of the new ones")
    parser.add_argument(
        "--external", type=expanded_path, action="append", default=[], help="another set, see train.measure.external"
    )
    parser.add_argument("--data", help="UTKFace: its test faces too")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    models = [RawOutputs(folder, args.cache) for folder in (args.before, args.model)]
    sets: dict[str, Callable[[RawOutputs], tuple[Raw, Labels]]] = {
        folder.name: functools.partial(raw_of, folder=folder) for folder in args.external
    }
    if args.data:
        sets["UTKFace, test"] = functools.partial(utkface, data=args.data, cache=args.cache)
    for name, answered in sets.items():
        before, after = (losses(*answered(outputs), outputs.config) for outputs in models)
        for measure, figure in compare_runs(before, after).items():
            print(
                f"{name:>20} {measure:>16}: {figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f}), {figure['n']} faces"
            )


if __name__ == "__main__":
    main()
