"""UTKFace as arrays: decoded once to disk, with what each row is labelled. Further sets: ``train/sets.py``."""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import PIL.Image

from dataset_script.utkface import MAX_AGE, RACES, UTKFace
from hf_model.network.preprocessing import preprocess
from hf_model.pictures.images import read_image
from hf_model.pictures.resize import resize
from hf_model.settings import Settings

SPLITS = ("train", "validation", "test")
HOME = "utkface"
MODEL = pathlib.Path(__file__).parents[1] / "hf_model"
CHIP_SIZE = 200
AGES = np.arange(MAX_AGE + 1, dtype=np.float32)


class Pictures:
    """Rows of several (N, 200, 200, 3) uint8 arrays, memory maps mostly, read as one array when they are asked for.

    Args:
        parts: the arrays.
        rows: (R,) which of their rows, in that order; None for all.
    """

    def __init__(self, parts: Sequence[np.ndarray], rows: np.ndarray | None = None):
        self.parts = list(parts)
        self.starts = np.cumsum([0, *map(len, self.parts)])
        self.rows = np.arange(self.starts[-1]) if rows is None else np.asarray(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def choose(self, rows) -> "Pictures":
        """Some of the rows, not read yet."""
        return Pictures(self.parts, self.rows[rows])

    def __getitem__(self, rows) -> np.ndarray:
        wanted = np.atleast_1d(self.rows[rows])
        out = np.empty((len(wanted), *self.parts[0].shape[1:]), np.uint8)
        of = np.searchsorted(self.starts, wanted, side="right") - 1
        for part, images in enumerate(self.parts):
            there = np.flatnonzero(of == part)
            there = there[np.argsort(wanted[there])]  # a file is read forwards
            out[there] = images[wanted[there] - self.starts[part]]
        return out[0] if np.ndim(rows) == 0 and not isinstance(rows, slice) else out


@dataclasses.dataclass
class Chips:
    """Decoded chips and their labels, row by row.

    ``images`` (N, 200, 200, 3) uint8 RGB, an array or :class:`Pictures`; ``age_low`` and ``age_high`` (N,) float32
    years, equal where the age is known exactly, else the ends of its bin; ``gender`` (N,) 0 male, 1 female, -1 unknown
    or copies that disagree; ``race`` (N,) names as the set has them, "" where it has none; ``source`` (N,) the set's
    name; ``sha256`` and ``duplicate_group`` (N,) text.
    """

    images: Any
    age_low: np.ndarray
    age_high: np.ndarray
    gender: np.ndarray
    race: np.ndarray
    source: np.ndarray
    sha256: np.ndarray
    duplicate_group: np.ndarray

    def __len__(self) -> int:
        return len(self.age_low)

    @property
    def age(self) -> np.ndarray:
        """(N,) years, where all are exact."""
        if (self.age_low != self.age_high).any():
            raise ValueError("These faces' ages are known as bins: use age_low and age_high.")
        return self.age_low

    def take(self, rows) -> "Chips":
        """The given rows, in that order."""
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        images = columns.pop("images")
        chosen = images.choose(rows) if isinstance(images, Pictures) else images[rows]
        return Chips(chosen, **{name: values[rows] for name, values in columns.items()})

    def by_source(self) -> dict[str, "Chips"]:
        """The faces of each set, home first."""
        names = sorted(set(self.source.tolist()), key=lambda name: (name != HOME, name))
        return {name: self.take(np.flatnonzero(self.source == name)) for name in names}


def join(parts: Sequence[Chips]) -> Chips:
    """The chips of several sets, one after the other."""
    arrays, rows, start = [], [], 0
    for part in parts:
        images = part.images if isinstance(part.images, Pictures) else Pictures([part.images])
        arrays += images.parts
        rows.append(images.rows + start)
        start += int(images.starts[-1])
    names = [field.name for field in dataclasses.fields(Chips)][1:]
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Chips(Pictures(arrays, np.concatenate(rows)), *columns)


def load_chips(
    data: str, cache: str | os.PathLike = "cache", label_conflicts: str = "drop"
) -> tuple[dict[str, Chips], dict[str, str]]:
    """UTKFace's three splits, and the fingerprint of each: which files are in it with which label.

    Args:
        data: UTKFace's folder or archive, as ``dataset_script/utkface.py`` takes it; or Parquet, see
            :func:`read_splits`.
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
        images = decoded(split["image"], pathlib.Path(cache) / f"chips-{name}-{fingerprints[name][:16]}.npy")
        age = column["age"].astype(np.float32)
        race, source = np.array(RACES)[column["race"]], np.full(len(age), HOME)
        chips[name] = Chips(
            images, age, age, column["gender"], race, source, column["sha256"], column["duplicate_group"]
        )
    return chips, fingerprints


def read_splits(data: str, label_conflicts: str) -> dict[str, datasets.Dataset]:
    """The three splits, from UTKFace's files, or as they were split when the Parquet was written.

    Args:
        data: files as the builder takes them; or a folder that ``train.curate.build_dataset`` wrote, or the dataset
            repo that it was pushed to. Parquet holds disagreeing copies as they were kept or dropped then.
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


def decoded(images: Iterable[PIL.Image.Image], path: pathlib.Path) -> np.ndarray:
    """Pictures as a memory map (N, 200, 200, 3), written to ``path`` where it is not there yet.

    Args:
        images: with a length.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        shape = (len(images), CHIP_SIZE, CHIP_SIZE, 3)  # type: ignore[arg-type]
        most = Settings.load(MODEL).input.max_pixels
        array = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        for row, image in enumerate(datasets.utils.tqdm(images, desc=f"Decoding {path.stem}", unit=" chips")):
            array[row] = resize(read_image(image, most), CHIP_SIZE)
        array.flush()
        os.replace(partial, path)
    return np.load(path, mmap_mode="r")


def network_input(chips: np.ndarray, size: int, preprocessing: str) -> np.ndarray:
    """(N, S, S, 3) uint8 chips to (N, size, size, 3) float32, exactly as the predictor does it."""
    return preprocess(np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips]), preprocessing)
