"""What faces are labelled, of UTKFace and of any other set.

A set is a folder with pictures and ``labels.csv``, or ``metadata.csv`` as the image folders of `datasets` have it,
taken through the detector, or a folder with Parquet of its validation split (``validation*.parquet``, or in ``data/``),
whose pictures are face chips. Columns: ``file``, ``file_name`` or ``image``; ``age``, whole years or bins, or
``age_min`` and ``age_max`` (both within the bin); perhaps ``gender`` (0 male, 1 female, or words) and ``race`` or
``ethnicity``. A face whose age was not told is left out.
"""

import csv
import dataclasses
import pathlib

import numpy as np

from train.data import Chips
from train.sets import age_ends, genders_of, read_texts

LABEL_FILES = ("labels.csv", "metadata.csv")
OTHER_NAMES = {"file_name": "file", "ethnicity": "race"}
OLD_ENOUGH = 10  # years, by the bin's lower end


@dataclasses.dataclass(frozen=True)
class Labels:
    """``file`` (N,) names; ``low`` (N,) first age of the bin; ``high`` (N,) its last; ``gender`` (N,) 0 male, 1 female,
    -1 not known; ``race`` (N,) words, "" where it is not known."""

    file: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gender: np.ndarray
    race: np.ndarray

    @classmethod
    def of(cls, chips: Chips) -> "Labels":
        """Those of UTKFace's chips, whose files are named by their sha256."""
        ages = chips.age.astype(float)
        return cls(np.asarray(chips.sha256), ages, ages, chips.gender, np.asarray(chips.race))

    def take(self, rows) -> "Labels":
        """The given rows."""
        return Labels(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    def __len__(self) -> int:
        return len(self.low)

    @property
    def are_exact(self) -> bool:
        """Whether ages are years and not bins."""
        return bool((self.low == self.high).all())

    @property
    def female(self) -> np.ndarray:
        """(N,) bool."""
        return self.gender == 1

    @property
    def grown(self) -> np.ndarray:
        """(N,) whether a face is of 10 and older, and its gender known."""
        return (self.low >= OLD_ENOUGH) & (self.gender >= 0)


def read_labels(folder: pathlib.Path) -> Labels:
    """The labels of a folder of photos.

    Raises:
        ValueError: the file is missing, or lacks a column.
    """
    path = next((folder / name for name in LABEL_FILES if (folder / name).is_file()), folder / LABEL_FILES[0])
    if not path.is_file():
        raise ValueError(
            f"{path} is missing: it names each picture with its age (or age_min, age_max) and perhaps gender."
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = [{OTHER_NAMES.get(name, name): value for name, value in row.items()} for row in csv.DictReader(file)]
    rows = [row for row in rows if row.get("age") != ""]
    odd = [row.get("file") for row in rows if row.get("gender") not in (None, "", "0", "1")]
    if odd:
        raise ValueError(f"{path}: the gender of {odd[0]!r} is neither 0 (male) nor 1 (female).")
    try:
        low = np.array([float(row.get("age_min") or row["age"]) for row in rows])
        high = np.array([float(row.get("age_max") or row["age"]) for row in rows])
        files = np.array([row["file"] for row in rows])
    except KeyError as error:
        raise ValueError(f"{path} has no column {error}: it wants file, age (or age_min and age_max).") from None
    gender = np.array([int(row.get("gender") or -1) for row in rows])
    return Labels(files, low, high, gender, np.array([row.get("race") or "" for row in rows]))


def read_chips(folder: pathlib.Path) -> tuple[Labels, list]:
    """Labels and pictures of the validation split of a folder of Parquet."""
    import datasets

    files = sorted(map(str, [*folder.glob("validation*.parquet"), *folder.glob("data/validation*.parquet")]))
    split = datasets.load_dataset("parquet", data_files={"validation": files}, split="validation")
    low, high = age_ends(read_texts(split, "age"), str(folder))
    names = np.array([f"{row:06d}" for row in range(len(split))])
    labels = Labels(names, low, high, genders_of(split), np.array(read_texts(split, "race")))
    return labels, split["image"]


def holds_chips(folder: pathlib.Path) -> bool:
    """Whether a folder is a set of face chips in Parquet."""
    return any(folder.glob("validation*.parquet")) or any(folder.glob("data/validation*.parquet"))
