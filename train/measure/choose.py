"""Whether new weights ship: paired beside the ones before, on photos of other data.

    python -m train.measure.choose --before FOLDER --model hf_model --external PHOTOS

Log loss of the gender and distance to the labelled age bin, new minus before, over the photos that both answered, with
95 % bootstrap intervals: on the part that serves for choosing they are to be below 0, on the part that reports not
above it. Calibrate both models first.
"""

import argparse
import pathlib

import numpy as np

from hf_model.console import expanded_path
from train.measure.answers import bootstrap, ranges_and_probabilities
from train.measure.external import distance_to_bin, read_labels
from train.measure.outputs import RawOutputs


def losses(outputs: RawOutputs, folder: pathlib.Path) -> dict[str, np.ndarray]:
    """``log_loss`` and ``bin_distance`` (N,) of each photo, NaN where no face was found."""
    labels = read_labels(folder)
    raw = outputs.photos(
        f"external, {folder.name}", (folder / name for name in labels.file), len(labels.file), labels.file
    )
    female = ranges_and_probabilities(raw, outputs.config)[2]
    likelihood = np.where(labels.female, female, 1 - female).clip(1e-7, 1)
    found = ~np.isnan(raw.age)
    return {
        "log_loss": np.where(found, -np.log(likelihood), np.nan),
        "bin_distance": np.where(found, distance_to_bin(raw.age, labels), np.nan),
    }


def compare_runs(before: dict[str, np.ndarray], after: dict[str, np.ndarray], among: np.ndarray) -> dict[str, dict]:
    """The paired differences of the photos ``among`` (N,) bool."""
    both = np.flatnonzero(among & ~np.isnan(before["log_loss"]) & ~np.isnan(after["log_loss"]))
    columns = {name: after[name][both] - before[name][both] for name in before}
    return bootstrap(lambda rows: {name: float(values[rows].mean()) for name, values in columns.items()}, len(both))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.choose", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=expanded_path, required=True, help="model folder of the weights there are")
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"), help="that of the new ones")
    parser.add_argument("--external", type=expanded_path, required=True, help="folder of photos with labels.csv")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    choosing = read_labels(args.external).choosing
    before, after = (losses(RawOutputs(folder, args.cache), args.external) for folder in (args.before, args.model))
    for name, among in (("choosing", choosing), ("reporting", ~choosing)):
        for measure, figure in compare_runs(before, after, among).items():
            print(
                f"{name:>10} {measure:>13}: {figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f}), {figure['n']} photos"
            )


if __name__ == "__main__":
    main()
