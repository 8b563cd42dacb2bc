"""Made-up chips and a shortened recipe: every stage runs in minutes, with nothing downloaded."""

import dataclasses

import numpy as np

from dataset_script.utkface import RACES
from train.data import CHIP_SIZE, HOME, SPLITS, Chips
from train.recipe import Recipe


def smoke_chips(n: int = 48, seed: int = 0) -> tuple[dict[str, Chips], dict[str, str]]:
    """Random chips whose brightness tells the age and whose colour tells the gender."""
    random = np.random.default_rng(seed)
    chips = {}
    for split in SPLITS:
        age = random.integers(0, 100, n).astype(np.float32)
        gender = random.integers(0, 2, n)
        images = random.integers(0, 60, (n, CHIP_SIZE, CHIP_SIZE, 3)).astype(np.float32)
        images += age[:, None, None, None] * 1.4
        images[..., 0] += 50 * gender[:, None, None]
        names = np.array([f"{split}-{row}" for row in range(n)])
        chips[split] = Chips(
            images.clip(0, 255).astype(np.uint8),
            age,
            age,
            gender,
            np.array(RACES)[random.integers(0, 5, n)],
            np.full(n, HOME),
            names,
            names,
        )
    return chips, {split: f"smoke-{split}-{n}-{seed}" for split in SPLITS}


def smoke_recipe(recipe: Recipe) -> Recipe:
    """The same stages, two epochs each, at no more than 64 pixels and in small batches."""
    stages = tuple(
        dataclasses.replace(
            s, size=min(s.size, 64), epochs=min(s.epochs, 2), warmup_steps=min(s.warmup_steps, 2), batch_size=16
        )
        for s in recipe.stages
    )
    return dataclasses.replace(recipe, stages=stages, batch_size=16)
