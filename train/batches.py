"""Batches of training and of validation.

Everything the network sees passes :func:`hf_model.pictures.resize.resize` and
:func:`hf_model.network.preprocessing.preprocess`, the functions that prediction uses.
"""

import collections
import concurrent.futures
import dataclasses
import itertools
import os
import pathlib

import datasets
import keras
import numpy as np
import PIL.Image

from dataset_script.utkface import MAX_AGE
from hf_model.network.architecture import DISTRIBUTION
from hf_model.network.layout import network_of
from hf_model.network.preprocessing import preprocess
from hf_model.pictures.resize import resize
from train.augment import augment
from train.data import Chips, network_input
from train.recipe import Recipe, Stage
from train.teacher import TaughtCopy


def zoomed(image: PIL.Image.Image, size: int, zoom: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    """A random (size, size, 3) square out of the chip resized to ``size`` times a random factor in ``zoom``."""
    side = round(size * random.uniform(*zoom))
    left, top = random.integers(0, side - size + 1, 2)
    return resize(image, side)[top : top + size, left : left + size]


def targets(chips: Chips, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Targets by output name: for both outputs of the age its lowest and highest (N, 2), and the gender, 0 where
    unknown."""
    ages = np.stack([chips.age_low[rows], chips.age_high[rows]], axis=1)
    gender = np.maximum(chips.gender[rows], 0)[:, None].astype(np.float32)
    return {"age": ages, DISTRIBUTION: ages, "gender": gender}


def taught_targets(
    answers: dict[str, np.ndarray], weights: dict[str, np.ndarray], chips: Chips, rows: np.ndarray, taught: TaughtCopy
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Targets and weights with the other model's answers in further columns; a gender that is not known is -1, and
    weighs 1."""
    gender = chips.gender[rows].astype(np.float32)
    distribution = taught.distribution[rows].astype(np.float32)
    distribution /= distribution.sum(axis=1, keepdims=True)
    answers = answers | {
        DISTRIBUTION: np.concatenate([answers[DISTRIBUTION], distribution], axis=1),
        "gender": np.stack([gender, taught.female[rows]], axis=1),
    }
    return answers, weights | {"gender": np.where(gender < 0, np.float32(1), weights["gender"])}


@dataclasses.dataclass(frozen=True)
class Weights:
    """How much the losses of each face weigh, (N,) each: by the rarity of its age, and for the gender, 0 where it is
    unknown."""

    age: np.ndarray
    gender: np.ndarray

    @classmethod
    def of(cls, chips: Chips, recipe: Recipe) -> "Weights":
        """Those that a recipe gives the faces."""
        return cls(age_rarity(chips, recipe), gender_weights(chips, recipe))

    def by_output(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Of some rows, by output name."""
        of_age, of_gender = self.age[rows].astype(np.float32), self.gender[rows].astype(np.float32)
        return {"age": of_age, DISTRIBUTION: of_age, "gender": of_gender}


def gender_weights(chips: Chips, recipe: Recipe) -> np.ndarray:
    """Weight of each face's loss of the gender, (N,): 0 where it is unknown; the recipe's, by race, within a set.

    Source: groups that err more weigh more, as in Sagawa et al., Distributionally Robust Neural Networks for Group
    Shifts, ICLR 2020, but chosen once, by the errors on held-out faces.
    """
    weights = (chips.gender >= 0).astype(np.float64)
    for name, of in recipe.sets.items():
        rows = np.flatnonzero((chips.source == name) & (chips.gender >= 0))
        unknown = of.gender_weights.keys() - set(chips.race[rows].tolist())
        if len(rows) and unknown:
            raise ValueError(f"recipe {recipe.name!r}: {name} has no race {', '.join(sorted(unknown))}.")
        if len(rows) and of.gender_weights:
            mine = np.array([of.gender_weights.get(race, 1.0) for race in chips.race[rows].tolist()])
            weights[rows] = mine / mine.mean()
    return weights


def age_rarity(chips: Chips, recipe: Recipe) -> np.ndarray:
    """Weight of each face by its age, (N,): the smoothed density of ages in its set to the power of minus
    the recipe's ``age_rarity_power``.

    A bin's faces stand for all its years alike, of which no more than ``widest_bin`` count. The mean weight of each set
    is 1, and no face weighs more than ``largest_age_weight``.

    Source: label distribution smoothing, Yang et al., Delving into Deep Imbalanced Regression, ICML 2021.
    """
    weights = np.ones(len(chips))
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / recipe.age_smoothing) ** 2)
    for source in set(chips.source.tolist()):
        rows = np.flatnonzero(chips.source == source)
        low = chips.age_low[rows].astype(int)
        high = np.minimum(chips.age_high[rows].astype(int), low + recipe.widest_bin - 1)
        counts = np.zeros(MAX_AGE + 1)
        for (first, last), n in collections.Counter(zip(low.tolist(), high.tolist(), strict=True)).items():
            counts[first : last + 1] += n / (last + 1 - first)
        density = np.convolve(np.pad(counts, 8, mode="reflect"), kernel / kernel.sum(), mode="valid")
        of_year = np.maximum(density, 1.0) ** -recipe.age_rarity_power
        within = np.concatenate([[0.0], np.cumsum(of_year)])
        mine = (within[np.minimum(high, MAX_AGE) + 1] - within[low]) / (np.minimum(high, MAX_AGE) + 1 - low)
        for _ in range(20):  # capping lowers the mean, which is set right again
            mine = np.minimum(mine / mine.mean(), recipe.largest_age_weight)
        weights[rows] = mine
    return weights


def rows_of_pass(chips: Chips, recipe: Recipe) -> np.ndarray:
    """The rows that one pass shows, those of a set as often as the recipe says."""
    times = {name: of.times for name, of in recipe.sets.items()}
    return np.repeat(np.arange(len(chips)), [times.get(source, 1) for source in chips.source.tolist()])


def steps_per_epoch(n: int, batch_size: int, parts: int = 1) -> int:
    """Whole batches in one of ``parts`` epochs that share a pass over ``n`` chips; at least one."""
    return max(n // batch_size // parts, 1)


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented training batches of one epoch, or plain ones in order.

    What comes out depends only on the seed and the position, so a resumed run sees what the
    uninterrupted one would have seen.

    Args:
        chips: the split.
        recipe: its augmentation and targets.
        stage: its size, zoom and batch size (the last, smaller batch of a shuffled epoch is left out).
        seed: of order and augmentation. None: the chips as they are and in order, at the stage's
            validation size.
        part: which of the stage's ``parts`` of the shuffled pass.
        taught: the changed copy that is shown, with another model's answers, in place of changes of this epoch's own.
        shuffled: False augments the chips in their own order, each once: what is cached.
    """

    def __init__(
        self,
        chips: Chips,
        recipe: Recipe,
        stage: Stage,
        seed: tuple[int, ...] | None = None,
        part: int = 0,
        shuffled: bool = True,
        taught: TaughtCopy | None = None,
    ):
        super().__init__(workers=max((os.cpu_count() or 2) // 2, 1), use_multiprocessing=False, max_queue_size=6)
        self.chips, self.recipe, self.stage, self.seed, self.taught = chips, recipe, stage, seed, taught
        self.preprocessing = network_of(recipe.network).preprocessing
        self.weights = Weights.of(chips, recipe) if seed is not None else None
        self.rows = np.arange(len(chips))
        if seed is not None and shuffled:
            self.rows = rows_of_pass(chips, recipe)
            np.random.default_rng(seed).shuffle(self.rows)
            self.seed = (*seed, part)
            n = steps_per_epoch(len(self.rows), stage.batch_size, stage.parts) * stage.batch_size
            self.rows = self.rows[part * n : (part + 1) * n]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.stage.batch_size)

    def __getitem__(self, index: int):
        rows = self.rows[index * self.stage.batch_size : (index + 1) * self.stage.batch_size]
        answers = targets(self.chips, rows)
        if self.seed is None:
            return network_input(self.chips.images[rows], self.stage.validation_size, self.preprocessing), answers
        assert self.weights is not None
        random, weights = np.random.default_rng((*self.seed, index + 1)), self.weights.by_output(rows)
        if self.taught is None:
            changed = self._changed(self.chips.images[rows], random)
        else:
            changed = self._mirrored([self.taught.picture(int(row)) for row in rows], random)
            answers, weights = taught_targets(answers, weights, self.chips, rows, self.taught)
        cut = [zoomed(PIL.Image.fromarray(image), self.stage.size, self.stage.zoom, random) for image in changed]
        return preprocess(np.stack(cut), self.preprocessing), answers, weights

    def _changed(self, images: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
        """Chips changed anew."""
        ranges, others = self.recipe.augmentation, np.roll(images, 1, axis=0)
        return [augment(image, ranges, random, other) for image, other in zip(images, others, strict=True)]

    def _mirrored(self, images: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
        """Some of the chips mirrored."""
        mirror = random.random(len(images)) < self.recipe.augmentation.flip
        return [
            np.ascontiguousarray(image[:, ::-1]) if turned else image
            for image, turned in zip(images, mirror, strict=True)
        ]


class Activations(keras.utils.PyDataset):
    """Batches of cached activations of a frozen part, one augmented variant an epoch; in order without a seed."""

    def __init__(
        self, features: np.ndarray, chips: Chips, recipe: Recipe, stage: Stage, seed: tuple[int, ...] | None = None
    ):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.features, self.chips, self.recipe, self.batch_size = features, chips, recipe, stage.batch_size
        self.weights = Weights.of(chips, recipe) if seed is not None else None
        self.rows = np.arange(len(chips))
        if seed is not None:
            self.rows = rows_of_pass(chips, recipe)
            np.random.default_rng(seed).shuffle(self.rows)
            self.rows = self.rows[: steps_per_epoch(len(self.rows), self.batch_size) * self.batch_size]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int):
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        features, answers = np.asarray(self.features[rows], np.float32), targets(self.chips, rows)
        if self.weights is None:
            return features, answers
        return features, answers, self.weights.by_output(rows)


def cache_activations(forward, batches: Batches, path: pathlib.Path, limit_gb: float) -> np.ndarray:
    """Runs ``forward`` over all batches once and keeps the result on disk as float16.

    Args:
        forward: from a batch of network input to an array (N, H, W, C).
        batches: in the chips' own order.
        path: ``.npy`` to write, or to read where it is there already.
        limit_gb: refuse to write more than this.

    Raises:
        ValueError: the activations would exceed the limit.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        out = None
        with (
            concurrent.futures.ThreadPoolExecutor(1) as pool,
            datasets.utils.tqdm(total=len(batches.rows), desc=f"Caching {path.stem}") as bar,
        ):
            ahead = map(batches.__getitem__, range(len(batches)))
            pending = pool.submit(next, ahead, None)
            position = 0
            for _ in itertools.count():
                batch = pending.result()
                if batch is None:
                    break
                pending = pool.submit(next, ahead, None)
                values = np.asarray(forward(batch[0]), np.float16)
                if out is None:
                    shape = (len(batches.rows), *values.shape[1:])
                    size_gb = 2 * float(np.prod(shape)) / 1e9
                    if size_gb > limit_gb:
                        raise ValueError(
                            f"Caching activations {shape} takes {size_gb:.1f} GB, over the recipe's {limit_gb} GB."
                        )
                    out = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
                out[position : position + len(values)] = values
                position += len(values)
                bar.update(len(values))
        assert out is not None, "a split holds at least one chip"
        out.flush()
        del out
        os.replace(partial, path)
    return np.load(path, mmap_mode="r")
