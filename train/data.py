"""UTKFace as arrays: decoded once to disk, then served as batches.

Everything the network sees passes :func:`hf_model.preprocessing.resize` and
:func:`hf_model.preprocessing.preprocess`, the functions that prediction uses.
"""

import concurrent.futures
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import re

import datasets
import huggingface_hub
import keras
import numpy as np
import PIL.Image

from dataset_script.utkface import MAX_AGE, UTKFace
from hf_model.architecture import DISTRIBUTION
from hf_model.preprocessing import preprocess, resize
from train.augment import augment
from train.recipe import Recipe, Stage

SPLITS = ("train", "validation", "test")
CHIP_SIZE = 200
AGES = np.arange(MAX_AGE + 1, dtype=np.float32)
SMOOTHING_YEARS = 2.0
LARGEST_WEIGHT = 4.0


@dataclasses.dataclass
class Chips:
    """One split: decoded chips and their labels, row by row.

    ``images`` (N, 200, 200, 3) uint8 RGB, a memory map; ``age`` (N,) float32 years; ``gender`` (N,)
    0 male, 1 female, -1 where copies of a training picture disagree; ``race`` (N,) indices into ``utkface.RACES``; ``sha256`` and
    ``duplicate_group`` (N,) text.
    """

    images: np.ndarray
    age: np.ndarray
    gender: np.ndarray
    race: np.ndarray
    sha256: np.ndarray
    duplicate_group: np.ndarray

    def __len__(self) -> int:
        return len(self.age)

    def take(self, rows) -> "Chips":
        """The given rows, in that order."""
        return Chips(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})


def load_chips(
    data: str, cache: str | os.PathLike = "cache", label_conflicts: str = "drop"
) -> tuple[dict[str, Chips], dict[str, str]]:
    """The three splits, and the fingerprint of each: which files are in it with which label.

    Args:
        data: UTKFace's folder or archive, as ``dataset_script/utkface.py`` takes it; or Parquet, see :func:`read_splits`.
        cache: where decoded chips are kept between runs (2.6 GB for the whole of UTKFace).
        label_conflicts: ``"drop"``, or ``"keep"`` one copy of a picture whose copies disagree, in train only.
    """
    splits = read_splits(data, label_conflicts)
    fingerprints, chips = {}, {}
    for name, split in splits.items():
        column = {key: np.array(split[key][:]) for key in ("age", "gender", "race", "sha256", "duplicate_group")}
        rows = zip(*(column[key] for key in ("sha256", "age", "gender")), strict=True)
        text = json.dumps([name, sorted((str(s), int(a), int(g)) for s, a, g in rows)])
        fingerprints[name] = hashlib.sha256(text.encode()).hexdigest()
        path = pathlib.Path(cache) / f"chips-{name}-{fingerprints[name][:16]}.npy"
        if not path.is_file():
            _decode(split, path)
        images = np.load(path, mmap_mode="r")
        chips[name] = Chips(images, column["age"].astype(np.float32), *(column[key] for key in list(column)[1:]))
    return chips, fingerprints


def read_splits(data: str, label_conflicts: str) -> dict[str, datasets.Dataset]:
    """The three splits, from UTKFace's files, or as they were split when the Parquet was written.

    Args:
        data: files as the builder takes them; or a folder that ``train.curate.build_dataset`` wrote, or the dataset repo
            that it was pushed to. Parquet holds disagreeing copies as they were kept or dropped then.
        label_conflicts: as for :func:`load_chips`.

    Raises:
        FileNotFoundError: no such repo, or a split is missing in it.
    """
    folder = pathlib.Path(data)
    if not folder.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", data):
        folder = pathlib.Path(huggingface_hub.snapshot_download(data, repo_type="dataset"))
    if not (folder / "data").is_dir() or not any((folder / "data").glob("*.parquet")):
        builder = UTKFace(data_dir=data, label_conflicts=label_conflicts)
        builder.download_and_prepare()
        return {name: builder.as_dataset(split=name) for name in SPLITS}
    files = {name: sorted(map(str, (folder / "data").glob(f"{name}-*.parquet"))) for name in SPLITS}
    missing = [name for name in SPLITS if not files[name]]
    if missing:
        raise FileNotFoundError(f"{data}: its data/ holds no Parquet of the split {', '.join(missing)}.")
    return dict(datasets.load_dataset("parquet", data_files=files))


def _decode(split: datasets.Dataset, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    shape = (len(split), CHIP_SIZE, CHIP_SIZE, 3)
    images = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    for row, image in enumerate(datasets.utils.tqdm(split["image"], desc=f"Decoding {path.stem}", unit=" chips")):
        images[row] = resize(image, CHIP_SIZE)
    images.flush()
    os.replace(partial, path)


def network_input(chips: np.ndarray, size: int) -> np.ndarray:
    """(N, S, S, 3) uint8 chips to (N, size, size, 3) float32, exactly as the predictor does it."""
    return preprocess(np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips]))


def zoomed(image: PIL.Image.Image, size: int, zoom: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    """A random (size, size, 3) square out of the chip resized to ``size`` times a random factor in ``zoom``."""
    side = round(size * random.uniform(*zoom))
    left, top = random.integers(0, side - size + 1, 2)
    return resize(image, side)[top : top + size, left : left + size]


def targets(chips: Chips, rows: np.ndarray, recipe: Recipe) -> dict[str, np.ndarray]:
    """Targets by output name: the age, a Gaussian about it over the whole years, and the gender, 0 where unknown."""
    age = chips.age[rows][:, None]
    density = np.exp(-0.5 * ((AGES - age) / recipe.soft_age_sigma) ** 2)
    gender = np.maximum(chips.gender[rows], 0)[:, None].astype(np.float32)
    return {"age": age, DISTRIBUTION: density / density.sum(axis=1, keepdims=True), "gender": gender}


def sample_weights(chips: Chips, rows: np.ndarray, rarity: np.ndarray) -> dict[str, np.ndarray]:
    """Weights by output name: ``rarity`` (by age) of the faces' ages, and 0 for a gender that is unknown."""
    of_age = rarity[chips.age[rows].astype(int)].astype(np.float32)
    return {"age": of_age, DISTRIBUTION: of_age, "gender": (chips.gender[rows] >= 0).astype(np.float32)}


def age_rarity(ages: np.ndarray, power: float) -> np.ndarray:
    """Weight of a face by its age, (117,): the smoothed density of the ages to the power of minus ``power``.

    The mean weight of the (N,) given ages is 1, and no age weighs more than ``LARGEST_WEIGHT``.

    Source: label distribution smoothing, Yang et al., Delving into Deep Imbalanced Regression, ICML 2021.
    """
    counts = np.bincount(ages.astype(int), minlength=len(AGES))[: len(AGES)]
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / SMOOTHING_YEARS) ** 2)
    density = np.convolve(np.pad(counts, 8, mode="reflect"), kernel / kernel.sum(), mode="valid")
    weights = np.maximum(density, 1.0) ** -power
    for _ in range(20):  # capping lowers the mean, which is set right again
        weights = np.minimum(weights * len(ages) / (weights * counts).sum(), LARGEST_WEIGHT)
    return weights


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
    ):
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=6)
        self.chips, self.recipe, self.stage, self.seed = chips, recipe, stage, seed
        self.rarity = age_rarity(chips.age, recipe.age_rarity_power)
        self.rows = np.arange(len(chips))
        if seed is not None and shuffled:
            np.random.default_rng(seed).shuffle(self.rows)
            self.seed = (*seed, part)
            n = steps_per_epoch(len(chips), stage.batch_size, stage.parts) * stage.batch_size
            self.rows = self.rows[part * n : (part + 1) * n]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.stage.batch_size)

    def __getitem__(self, index: int):
        rows = self.rows[index * self.stage.batch_size : (index + 1) * self.stage.batch_size]
        images = self.chips.images[np.sort(rows)][np.argsort(np.argsort(rows))]
        answers = targets(self.chips, rows, self.recipe)
        if self.seed is None:
            return network_input(images, self.stage.validation_size), answers
        random = np.random.default_rng((*self.seed, index + 1))
        ranges, others = self.recipe.augmentation, np.roll(images, 1, axis=0)
        changed = [augment(image, ranges, random, other) for image, other in zip(images, others, strict=True)]
        pixels = preprocess(np.stack([zoomed(image, self.stage.size, self.stage.zoom, random) for image in changed]))
        return pixels, answers, sample_weights(self.chips, rows, self.rarity)


class Activations(keras.utils.PyDataset):
    """Batches of cached activations of a frozen part, one augmented variant an epoch; in order without a seed."""

    def __init__(
        self, features: np.ndarray, chips: Chips, recipe: Recipe, stage: Stage, seed: tuple[int, ...] | None = None
    ):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.features, self.chips, self.recipe, self.batch_size = features, chips, recipe, stage.batch_size
        self.rarity = age_rarity(chips.age, recipe.age_rarity_power) if seed is not None else None
        self.rows = np.arange(len(chips))
        if seed is not None:
            np.random.default_rng(seed).shuffle(self.rows)
            self.rows = self.rows[: steps_per_epoch(len(chips), self.batch_size) * self.batch_size]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int):
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        features, answers = np.asarray(self.features[rows], np.float32), targets(self.chips, rows, self.recipe)
        if self.rarity is None:
            return features, answers
        return features, answers, sample_weights(self.chips, rows, self.rarity)


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
