"""Photos of another dataset, through the detector: what falls off outside UTKFace, and by how much.

A folder holds pictures and ``labels.csv`` with the columns ``file``, ``age`` (or ``age_min`` and ``age_max``, both
within the bin, the last bin's end as written) and ``gender`` (0 male, 1 female).
"""

import csv
import dataclasses
import json
import pathlib

import numpy as np

from train.measure.answers import bootstrap, ranges_and_probabilities
from train.measure.outputs import Raw, RawOutputs

# Of each age bin and gender the first so many files, by name, serve for choosing; the others report.
CHOOSING = 8
SEVERAL = pathlib.Path(__file__).with_name("several_faces.json")
OLD_ENOUGH = 10  # years, by the bin's lower end


@dataclasses.dataclass(frozen=True)
class Labels:
    """``file`` (N,) names; ``low`` (N,) first age of the bin; ``high`` (N,) its last; ``female`` (N,) bool."""

    file: np.ndarray
    low: np.ndarray
    high: np.ndarray
    female: np.ndarray

    @property
    def choosing(self) -> np.ndarray:
        """(N,) whether a photo is among those that serve for choosing."""
        seen: dict[tuple, int] = {}
        chosen = np.zeros(len(self.file), bool)
        for row in np.argsort(self.file):
            cell = (self.low[row], self.high[row], self.female[row])
            seen[cell] = seen.get(cell, 0) + 1
            chosen[row] = seen[cell] <= CHOOSING
        return chosen


def read_labels(folder: pathlib.Path) -> Labels:
    """The labels of a folder.

    Raises:
        ValueError: the file is missing, or lacks a column.
    """
    path = folder / "labels.csv"
    if not path.is_file():
        raise ValueError(f"{path} is missing: it names each picture with its age (or age_min, age_max) and gender.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    odd = [row.get("file") for row in rows if row.get("gender") not in (None, "0", "1")]
    if odd:
        raise ValueError(f"{path}: the gender of {odd[0]!r} is neither 0 (male) nor 1 (female).")
    try:
        low = np.array([float(row.get("age_min") or row["age"]) for row in rows])
        high = np.array([float(row.get("age_max") or row["age"]) for row in rows])
        return Labels(
            np.array([row["file"] for row in rows]), low, high, np.array([row["gender"] == "1" for row in rows])
        )
    except KeyError as error:
        raise ValueError(
            f"{path} has no column {error}: it wants file, age (or age_min and age_max) and gender."
        ) from None


def distance_to_bin(age: np.ndarray, labels: Labels) -> np.ndarray:
    """Years from (N,) ages to the labelled bin: 50 to 59 holds ages from 50 up to, not including, 60."""
    inside = (age >= labels.low) & (age < labels.high + 1)
    return np.where(inside, 0.0, np.minimum(np.abs(age - labels.low), np.abs(age - labels.high)))


def figures_of_photos(raw: Raw, labels: Labels, config: dict, among: np.ndarray) -> dict[str, dict]:
    """The figures of the photos ``among`` (N,) bool, over those that were answered, with intervals."""
    low, high, female = ranges_and_probabilities(raw, config)
    decision = config["decision"]
    answered = among & ~np.isnan(raw.age)
    distance = distance_to_bin(raw.age, labels)
    right = (female >= 0.5) == labels.female
    called = (female < decision["male_below"]) | (female > decision["female_above"])
    likelihood = np.where(labels.female, female, 1 - female).clip(1e-7, 1)
    columns = {
        "bin_distance": distance,
        "inside_bin": distance == 0,
        "gender": right,
        "called_wrong": called & ~right,
        "gender_log_loss": -np.log(likelihood),
        "range_meets_bin": (low <= labels.high) & (high >= labels.low),
    }
    some = np.flatnonzero(answered)
    grown = labels.low >= OLD_ENOUGH
    groups = {
        "gender_10plus": grown,
        "women_10plus": grown & labels.female,
        "men_10plus": grown & ~labels.female,
    }

    def figures(drawn: np.ndarray) -> dict[str, float]:
        rows = some[drawn]
        made = {name: float(values[rows].mean()) for name, values in columns.items()}
        for name, group in groups.items():
            chosen = rows[group[rows]]
            made[name] = float(right[chosen].mean()) if len(chosen) else float("nan")
        p = female[rows]
        from train.measure.metrics.gender_report.gender_report import expected_calibration_error

        made["gender_ece"] = expected_calibration_error(np.maximum(p, 1 - p), right[rows])
        return made

    missed = int((among & np.isnan(raw.age)).sum())
    section: dict = {"missed": {"value": missed, "n": int(among.sum())}}
    if not len(some):
        return section
    section |= bootstrap(figures, len(some))
    for name, group in groups.items():
        if name in section:
            section[name]["n"] = int((answered & group).sum())
    return section


def photos_of_several(name: str, raw: Raw, labels: Labels) -> np.ndarray:
    """(N,) which answered photos show several people: those in which version 0.1.0 found several faces, as far as they
    are listed, and otherwise those in which this model does. The answer there is to be for the most central face."""
    listed = json.loads(SEVERAL.read_text(encoding="utf-8")).get(name)
    several = raw.faces > 1 if listed is None else np.isin(labels.file, listed)
    return several & ~np.isnan(raw.age)


def measure_external(outputs: RawOutputs, folder: pathlib.Path) -> tuple[str, dict]:
    """The section of a folder, and its name: all photos, and apart those for choosing and for reporting."""
    labels = read_labels(folder)
    photos = (folder / name for name in labels.file)
    raw = outputs.photos(f"external, {folder.name}", photos, len(labels.file), labels.file)
    everyone, choosing = np.ones(len(labels.file), bool), labels.choosing
    section = figures_of_photos(raw, labels, outputs.config, everyone)
    several = photos_of_several(folder.name, raw, labels)
    if several.any():
        central = raw.central[several]
        section |= bootstrap(lambda rows: {"most_central": float(central[rows].mean())}, len(central))
    for name, among in (("choosing", choosing), ("reporting", ~choosing)):
        section[name] = figures_of_photos(raw, labels, outputs.config, among)
    return folder.name, section
