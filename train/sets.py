"""Further sets of faces beside UTKFace: Parquet in a folder or on the Hub, exact ages or bins.

They are given as ``[NAME=]PLACE``: a folder with Parquet of its training split, or a Hub repo, with ``@config`` where
it has several. A set's name is how a recipe calls it, by default the beginning of the folder's or the repo's.
"""

import csv
import hashlib
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterable

import datasets
import numpy as np

from dataset_script import utkface
from dataset_script.utkface import GENDERS, MAX_AGE
from train.data import Chips, Pictures, decoded, join
from train.recipe import Recipe

HOLD_OUT_SALT = "held-out-1"
LEFT_OUT = pathlib.Path(utkface.__file__).with_name("left_out.csv")


def add_sets(
    chips: dict[str, Chips], fingerprints: dict[str, str], also: Iterable[str], recipe: Recipe, cache: str | os.PathLike
) -> tuple[dict[str, Chips], dict[str, str]]:
    """UTKFace's splits, the training faces of further sets joined to them, and the fingerprints of all.

    Args:
        chips, fingerprints: from :func:`train.data.load_chips`.
        also: the further sets, as in this file's head.
        recipe: names the sets that it takes; one that is not given is told and left out.
        cache: where decoded chips are kept.

    Raises:
        ValueError: a set that the recipe does not name, or one that cannot be read.
    """
    places = dict(split_name(place, recipe) for place in also)
    for name in recipe.sets.keys() - places.keys():
        print(
            f"Recipe {recipe.name!r} takes {name} too, which is not given (--also); going on without.", file=sys.stderr
        )
    chips, fingerprints = dict(chips), dict(fingerprints)
    for name, place in places.items():
        further, fingerprints[name] = load_further(name, place, cache, recipe.sets[name].hold_out)
        for split, faces in further.items():
            chips[split] = join([chips[split], faces])
    return chips, fingerprints


def split_name(given: str, recipe: Recipe) -> tuple[str, str]:
    """The name and the place of a set that is given as ``[NAME=]PLACE``."""
    name, is_named, place = given.partition("=")
    if not is_named:
        place = given
        last = pathlib.PurePath(given.partition("@")[0] if "@" in given else given).name.lower()
        name = max((known for known in recipe.sets if last.startswith(known)), key=len, default=last)
    if name not in recipe.sets:
        known = ", ".join(recipe.sets) or "none"
        raise ValueError(
            f"--also {given}: recipe {recipe.name!r} takes no set {name!r} (it takes: {known}). Write NAME=PLACE, or "
            f"add "
            f"[sets.{name}] to the recipe."
        )
    return name, place


def load_further(
    name: str, place: str, cache: str | os.PathLike, hold_out: int = 0, left_out: pathlib.Path = LEFT_OUT
) -> tuple[dict[str, Chips], str]:
    """The training faces of a further set, ``{"train": ..., "validation": those held out}``, and its fingerprint.

    Args:
        name: what the set is called.
        place: as in this file's head. Of the columns ``image``, ``age`` (whole years, or classes such as "3-9" and
            "more than 70"), ``gender`` (classes, or text, "male" and "female" in any case) and ``race`` the first two
            must be there.
        cache: where decoded chips are kept.
        hold_out: how many faces do not train: those with the smallest salted hashes.
        left_out: the list of pictures that do not train, by the sha256 of their file.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: a column is missing or cannot be read.
    """
    split = training_split(place)
    missing = {"image", "age"} - set(split.column_names)
    if missing:
        raise ValueError(f"{place} has no column {', '.join(sorted(missing))}: it has {', '.join(split.column_names)}.")
    low, high = age_ends(read_texts(split, "age"), place)
    gender = genders_of(split)
    files = split.cast_column("image", datasets.Image(decode=False))["image"]
    shas = np.array(
        [hashlib.sha256(file["bytes"] or pathlib.Path(file["path"]).read_bytes()).hexdigest() for file in files]
    )
    rows = sorted(zip(shas.tolist(), low.tolist(), high.tolist(), gender.tolist(), strict=True))
    fingerprint = hashlib.sha256(json.dumps([name, rows]).encode()).hexdigest()
    images = Pictures([decoded(split["image"], pathlib.Path(cache) / f"chips-{name}-{fingerprint[:16]}.npy")])
    race = np.array(read_texts(split, "race"))
    everything = Chips(images, low, high, gender, race, np.full(len(low), name), shas, shas)
    kept = np.flatnonzero(~np.isin(shas, list(read_left_out(left_out))))
    salted = [hashlib.sha256(f"{HOLD_OUT_SALT}:{sha}".encode()).hexdigest() for sha in shas[kept]]
    order = kept[np.argsort(salted)]
    parts = {"train": np.sort(order[hold_out:]), "validation": np.sort(order[:hold_out])}
    return {part: everything.take(chosen) for part, chosen in parts.items() if len(chosen)}, fingerprint


def training_split(place: str) -> datasets.Dataset:
    """The training split of a folder of Parquet, or of a Hub repo."""
    folder = pathlib.Path(place)
    if folder.is_dir():
        files = sorted(map(str, [*folder.glob("train*.parquet"), *folder.glob("data/train*.parquet")]))
        if not files:
            raise FileNotFoundError(
                f"{place}: neither it nor its data/ holds Parquet of the split train (train*.parquet)."
            )
        return datasets.load_dataset("parquet", data_files={"train": files}, split="train")
    repo, _, config = place.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise FileNotFoundError(f"{place} is neither a folder nor a dataset repo of the form user/name[@config].")
    return datasets.load_dataset(repo, config or None, split="train")


def read_texts(split: datasets.Dataset, column: str) -> list[str]:
    """A column as text, the names of classes; "" where it is not there or empty."""
    if column not in split.column_names:
        return [""] * len(split)
    feature, values = split.features[column], split[column][:]
    if isinstance(feature, datasets.ClassLabel):
        return ["" if value is None or value < 0 else feature.int2str(value) for value in values]
    return ["" if value is None else str(value) for value in values]


def genders_of(split: datasets.Dataset) -> np.ndarray:
    """(N,) places in ``GENDERS`` of a split's genders, -1 where one is not known."""
    words = read_texts(split, "gender")
    return np.array([next((place for place, name in enumerate(GENDERS) if name == text.lower()), -1) for text in words])


def age_ends(ages: list[str], place: str) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest age (N,) float32 that labels such as "34", "3-9" and "more than 70" allow.

    Raises:
        ValueError: one that says something else.
    """
    known: dict[str, tuple[int, int]] = {}
    for text in set(ages):
        bin_ = re.fullmatch(r"(\d+)\s*[-–]\s*(\d+)", text)
        oldest = re.fullmatch(r"(?:more than |over |>=? ?)?(\d+)(\+?)", text, re.IGNORECASE)
        if bin_:
            known[text] = int(bin_[1]), int(bin_[2])
        elif oldest:
            open_ended = oldest[2] or not text[0].isdigit()
            known[text] = int(oldest[1]), MAX_AGE if open_ended else int(oldest[1])
        else:
            raise ValueError(f'{place}: an age is {text!r}; known are whole years, "3-9", "more than 70" and "70+".')
        if not 0 <= known[text][0] <= known[text][1] <= MAX_AGE:
            raise ValueError(f"{place}: an age is {text!r}, outside of 0 to {MAX_AGE}.")
    ends = np.array([known[text] for text in ages], np.float32).reshape(-1, 2)
    return ends[:, 0].copy(), ends[:, 1].copy()


def read_left_out(path: pathlib.Path = LEFT_OUT) -> set[str]:
    """The sha256 of the files that no training sees: they show a face that is measured on, or stand in another set
    too."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["sha256"] for row in csv.DictReader(file)}
