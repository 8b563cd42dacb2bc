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
import shutil

import datasets
import keras
import numpy as np
import PIL.Image

from dataset_script.utkface import MAX_AGE, UTKFace
from hf_model.preprocessing import preprocess, resize
from train.augment import augment
from train.recipe import Recipe, Stage

SPLITS = ("train", "validation", "test")
CHIP_SIZE = 200
SOFT_AGE = "age_distribution"  # an output of training only, see train/model.py
AGES = np.arange(MAX_AGE + 1, dtype=np.float32)


@dataclasses.dataclass
class Chips:
    """One split: decoded chips and their labels, row by row.

    ``images`` (N, 200, 200, 3) uint8 RGB, a memory map; ``age`` (N,) float32 years; ``gender`` (N,)
    0 male, 1 female; ``race`` (N,) indices into ``utkface.RACES``; ``sha256`` and
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


def load_chips(data: str, cache: str | os.PathLike = "cache") -> tuple[dict[str, Chips], str]:
    """The three splits, and the fingerprint of the data: which file is in which split with which label.

    Args:
        data: UTKFace's folder or archive, as ``dataset_script/utkface.py`` takes it.
        cache: where decoded chips are kept between runs (2.6 GB for the whole of UTKFace).
    """
    builder = UTKFace(data_dir=data)
    builder.download_and_prepare()
    splits = {name: builder.as_dataset(split=name) for name in SPLITS}
    fingerprint = hashlib.sha256()
    columns = {}
    for name, split in splits.items():
        columns[name] = {key: np.array(split[key][:]) for key in ("age", "gender", "race", "sha256", "duplicate_group")}
        rows = zip(*(columns[name][key] for key in ("sha256", "age", "gender")), strict=True)
        fingerprint.update(json.dumps([name, sorted((str(s), int(a), int(g)) for s, a, g in rows)]).encode())
    folder = pathlib.Path(cache) / f"chips-{fingerprint.hexdigest()[:16]}"
    if not folder.is_dir():
        _decode(splits, folder)
    chips = {}
    for name in SPLITS:
        images = np.load(folder / f"{name}.npy", mmap_mode="r")
        column = columns[name]
        chips[name] = Chips(images, column["age"].astype(np.float32), *(column[key] for key in list(column)[1:]))
    return chips, fingerprint.hexdigest()


def _decode(splits: dict[str, datasets.Dataset], folder: pathlib.Path) -> None:
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, split in splits.items():
        shape = (len(split), CHIP_SIZE, CHIP_SIZE, 3)
        images = np.lib.format.open_memmap(partial / f"{name}.npy", mode="w+", dtype=np.uint8, shape=shape)
        for row, image in enumerate(datasets.utils.tqdm(split["image"], desc=f"Decoding {name}", unit=" chips")):
            images[row] = resize(image, CHIP_SIZE)
        images.flush()
    os.replace(partial, folder)


def network_input(chips: np.ndarray, size: int) -> np.ndarray:
    """(N, S, S, 3) uint8 chips to (N, size, size, 3) float32, exactly as the predictor does it."""
    return preprocess(np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips]))


def zoomed(image: PIL.Image.Image, size: int, zoom: tuple[float, float], random: np.random.Generator) -> np.ndarray:
    """A random (size, size, 3) square out of the chip resized to ``size`` times a random factor in ``zoom``."""
    side = round(size * random.uniform(*zoom))
    left, top = random.integers(0, side - size + 1, 2)
    return resize(image, side)[top : top + size, left : left + size]


def targets(chips: Chips, rows: np.ndarray, recipe: Recipe) -> dict[str, np.ndarray]:
    """Targets by output name; where the recipe weighs ``SOFT_AGE``, a Gaussian around the age is among them."""
    made = {"age": chips.age[rows][:, None], "gender": chips.gender[rows][:, None].astype(np.float32)}
    if recipe.soft_age_weight:
        density = np.exp(-0.5 * ((AGES - made["age"]) / recipe.soft_age_sigma) ** 2)
        made[SOFT_AGE] = density / density.sum(axis=1, keepdims=True)
    return made


def steps_per_epoch(n: int, batch_size: int, parts: int = 1) -> int:
    """Whole batches in one of ``parts`` epochs that share a pass over ``n`` chips; at least one."""
    return max(n // batch_size // parts, 1)


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented training batches of one epoch, or plain ones in order.

    What comes out depends only on the seed and the position, so a resumed run sees what the
    uninterrupted one would have seen.

    Args:
        chips: the split.
        recipe: its augmentation, targets and views; with two views a batch holds its chips twice, each
            time augmented anew: the first views, then the second ones in the same order.
        stage: its size, zoom and batch size (in pictures, all views counted; the last, smaller batch of
            a shuffled epoch is left out).
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
        self.views = recipe.views if seed is not None and shuffled else 1
        self.chips_per_batch = stage.batch_size // self.views
        self.rows = np.arange(len(chips))
        if seed is not None and shuffled:
            np.random.default_rng(seed).shuffle(self.rows)
            self.seed = (*seed, part)
            n = steps_per_epoch(len(chips), self.chips_per_batch, stage.parts) * self.chips_per_batch
            self.rows = self.rows[part * n : (part + 1) * n]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.chips_per_batch)

    def __getitem__(self, index: int):
        rows = self.rows[index * self.chips_per_batch : (index + 1) * self.chips_per_batch]
        images = self.chips.images[np.sort(rows)][np.argsort(np.argsort(rows))]
        rows, images = np.tile(rows, self.views), np.concatenate([images] * self.views)
        if self.seed is None:
            pixels = network_input(images, self.stage.validation_size)
        else:
            random = np.random.default_rng((*self.seed, index + 1))
            changed = [augment(image, self.recipe.augmentation, random) for image in images]
            pixels = preprocess(
                np.stack([zoomed(image, self.stage.size, self.stage.zoom, random) for image in changed])
            )
        return pixels, targets(self.chips, rows, self.recipe)


class Activations(keras.utils.PyDataset):
    """Batches of cached activations of a frozen part, one augmented variant an epoch; in order without a seed."""

    def __init__(
        self, features: np.ndarray, chips: Chips, recipe: Recipe, stage: Stage, seed: tuple[int, ...] | None = None
    ):
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=6)
        self.features, self.chips, self.recipe, self.batch_size = features, chips, recipe, stage.batch_size
        self.rows = np.arange(len(chips))
        if seed is not None:
            np.random.default_rng(seed).shuffle(self.rows)
            self.rows = self.rows[: steps_per_epoch(len(chips), self.batch_size) * self.batch_size]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int):
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        return np.asarray(self.features[rows], np.float32), targets(self.chips, rows, self.recipe)


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
