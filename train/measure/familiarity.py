"""Measures what faces look like to the network: ``familiarity.safetensors``, by which a prediction says how unlike them it is.

    python -m train.measure.familiarity --model hf_model --data DIR [--also SET]

Pooled features of training faces give the plane, those of validation faces (and of the held-out faces of each further set) how
far out faces lie. See :mod:`hf_model.network.familiarity`.
"""

import argparse
import os
import pathlib

import numpy as np
import safetensors.numpy

from hf_model.console import expanded_path
from hf_model.network.familiarity import NAME, SMALLEST_SHARE, Familiarity
from hf_model.predictor import AgeGenderPredictor
from train.data import Chips, load_chips
from train.measure.outputs import fastest
from train.recipe import load_recipe
from train.sets import add_sets

COMPONENTS = 64
TRAINING_FACES = 6000
VALIDATION_FACES = 4000
SHARES = np.concatenate([np.linspace(1, 0.1, 46), np.geomspace(0.09, 0.002, 18)])


def features_of_chips(predictor: AgeGenderPredictor, images: np.ndarray, what: str) -> np.ndarray:
    """(N, D) pooled features of (N, S, S, 3) uint8 chips."""
    import datasets

    features = []
    for start in datasets.utils.tqdm(range(0, len(images), 32), desc=what, unit=" batches"):
        for (chip,) in predictor.raw(list(images[start : start + 32]), faces="none"):
            features.append(chip.features)
    return np.stack(features)


def fit(training: np.ndarray, validation: np.ndarray, components: int = COMPONENTS) -> dict[str, np.ndarray]:
    """The tensors of a :class:`Familiarity` from (N, D) features, as float16 but for the table."""
    mean = training.mean(axis=0).astype(np.float16)
    _, _, directions = np.linalg.svd(training - mean, full_matrices=False)
    plane = np.ascontiguousarray(directions[:components].T.astype(np.float16))  # safetensors writes memory as it lies
    made = Familiarity(mean, plane, np.arange(2.0), np.ones(2))
    distance = made.distance(validation)
    shares = SHARES[2 / len(validation) <= SHARES]
    return {
        "mean": mean,
        "components": plane,
        "distances": np.quantile(distance, 1 - shares).astype(np.float32),
        "shares": shares.astype(np.float32),
    }


def spread(chips: Chips, count: int) -> np.ndarray:
    """About so many chips of a split, evenly spread."""
    return chips.take(np.arange(len(chips))[:: max(len(chips) // count, 1)]).images


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.measure.familiarity", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--also", action="append", default=[], help="a further set that the weights were trained on")
    parser.add_argument(
        "--recipe", default="best", help="says which faces of further sets are held out (default: best)"
    )
    parser.add_argument("--limit", type=int, help="at most so many chips of each kind, to try it small")
    parser.add_argument(
        "--limit-changed", type=int, help="nothing is changed here; taken as the commands beside it take it"
    )
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    predictor = AgeGenderPredictor.from_pretrained(args.model, engine=fastest("float32"), precision="float32")
    chips, fingerprints = load_chips(args.data, args.cache)
    if args.also:
        chips, _ = add_sets(chips, fingerprints, args.also, load_recipe(args.recipe), args.cache)
    counts = {"train": TRAINING_FACES, "validation": VALIDATION_FACES}
    features = {
        split: features_of_chips(predictor, spread(chips[split], min(count, args.limit or count)), split)
        for split, count in counts.items()
    }
    tensors = fit(features["train"], features["validation"])
    path = args.model / NAME
    partial = path.with_suffix(".part")
    safetensors.numpy.save_file(tensors, partial)
    os.replace(partial, path)
    print(f"Wrote {path}: {path.stat().st_size / 1000:.0f} KB, {len(features['train'])} training faces; beyond the furthest of "
          f"{len(features['validation'])} validation faces shares end at {SMALLEST_SHARE}.")  # fmt: skip


if __name__ == "__main__":
    main()
