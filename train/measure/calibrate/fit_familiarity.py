"""Measures what faces look like to the network: ``familiarity.safetensors``, by which a prediction says how unlike them
it is.

Pooled features of training faces give the plane, those of validation faces (and of the held-out faces of each further
set) how far out faces lie. See :mod:`hf_model.network.familiarity`.
"""

import os

import numpy as np
import safetensors.numpy

from hf_model.network.familiarity import NAME, SMALLEST_SHARE, Familiarity
from hf_model.predictor import AgeGenderPredictor
from train.data import Chips
from train.measure.context import Context
from train.measure.raw.outputs import fastest
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


def run(context: Context) -> None:
    """Writes the model's ``familiarity.safetensors``."""
    chips = context.all_chips
    if context.also:
        recipe = load_recipe(context.recipe)
        chips, _ = add_sets(chips, context.fingerprints, context.also, recipe, context.cache)
    predictor = AgeGenderPredictor.from_pretrained(context.model, engine=fastest("float32"), precision="float32")
    counts = {"train": TRAINING_FACES, "validation": VALIDATION_FACES}
    features = {
        split: features_of_chips(predictor, spread(chips[split], min(count, context.limit or count)), split)
        for split, count in counts.items()
    }
    tensors = fit(features["train"], features["validation"])
    path = context.model / NAME
    partial = path.with_suffix(".part")
    safetensors.numpy.save_file(tensors, partial)
    os.replace(partial, path)
    print(
        f"Wrote {path}: {path.stat().st_size / 1000:.0f} KB, {len(features['train'])} training faces; beyond the "
        f"furthest of "
        f"{len(features['validation'])} validation faces shares end at {SMALLEST_SHARE}."
    )
