"""Faces of another dataset: what falls off outside UTKFace, and by how much, for whom.

A set is a folder with pictures and ``labels.csv``, taken through the detector, or a folder with Parquet of its validation split
(``validation*.parquet``, or in ``data/``), whose pictures are face chips. Columns: ``file`` or ``image``; ``age``, whole years or
bins, or ``age_min`` and ``age_max`` (both within the bin); perhaps ``gender`` (0 male, 1 female, or words) and ``race``.
"""

import csv
import dataclasses
import json
import pathlib

import numpy as np

from hf_model.settings import Settings
from train.measure.answers import bootstrap, ranges_and_probabilities
from train.measure.groups import age_levels
from train.measure.outputs import Raw, RawOutputs
from train.sets import age_ends, genders_of, read_texts

SEVERAL = pathlib.Path(__file__).with_name("several_faces.json")
OLD_ENOUGH = 10  # years, by the bin's lower end
LEAST_IN_GROUP = 30  # faces, for a group to be told
NEAR = 5.0  # years


@dataclasses.dataclass(frozen=True)
class Labels:
    """``file`` (N,) names; ``low`` (N,) first age of the bin; ``high`` (N,) its last; ``gender`` (N,) 0 male, 1 female, -1 not known;
    ``race`` (N,) words, "" where it is not known."""

    file: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gender: np.ndarray
    race: np.ndarray

    def take(self, rows: np.ndarray) -> "Labels":
        """The given rows."""
        return Labels(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

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
    path = folder / "labels.csv"
    if not path.is_file():
        raise ValueError(
            f"{path} is missing: it names each picture with its age (or age_min, age_max) and perhaps gender."
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
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


def distance_to_bin(age: np.ndarray, labels: Labels) -> np.ndarray:
    """Years from (N,) ages to the labelled bin: 50 to 59 holds ages from 50 up to, not including, 60."""
    inside = (age >= labels.low) & (age < labels.high + 1)
    return np.where(inside, 0.0, np.minimum(np.abs(age - labels.low), np.abs(age - labels.high)))


def columns_of(raw: Raw, labels: Labels, settings: Settings) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Each measure as (N,) values and which rows (N,) have it."""
    low, high, female = ranges_and_probabilities(raw, settings)
    decision = settings.decision
    answered = ~np.isnan(raw.age)
    right = (female >= 0.5) == labels.female
    called = (female < decision.male_below) | (female > decision.female_above)
    known = answered & (labels.gender >= 0)
    meets = (low <= labels.high) & (high >= labels.low)
    error = raw.age - labels.low
    columns = (
        {"age_mae": (np.abs(error), answered), "age_bias": (error, answered), "age_cs5": (np.abs(error) <= NEAR, answered),
         "age_interval_coverage": (meets, answered)}
        if labels.are_exact
        else {"bin_distance": (distance_to_bin(raw.age, labels), answered),
              "inside_bin": (distance_to_bin(raw.age, labels) == 0, answered), "range_meets_bin": (meets, answered)}
    )  # fmt: skip
    if known.any():
        likelihood = np.where(labels.female, female, 1 - female).clip(1e-7, 1)
        columns |= {
            "gender": (right, known),
            "called_wrong": (called & ~right, known),
            "gender_log_loss": (-np.log(likelihood), known),
            "gender_10plus": (right, known & labels.grown),
            "women_10plus": (right, known & labels.grown & labels.female),
            "men_10plus": (right, known & labels.grown & ~labels.female),
        }
    return columns


def figures_of_photos(raw: Raw, labels: Labels, settings: Settings) -> dict[str, dict]:
    """The figures of all photos, over those that were answered, with intervals, and how many had no face that was found."""
    columns = columns_of(raw, labels, settings)
    female = ranges_and_probabilities(raw, settings)[2]
    answered = np.flatnonzero(~np.isnan(raw.age))

    def figures(drawn: np.ndarray) -> dict[str, float]:
        rows = answered[drawn]
        made = {}
        for name, (values, among) in columns.items():
            chosen = rows[among[rows]]
            made[name] = float(values[chosen].mean()) if len(chosen) else float("nan")
        known = rows[labels.gender[rows] >= 0]
        if len(known):
            from train.measure.metrics.gender_report.gender_report import expected_calibration_error

            sure = np.maximum(female[known], 1 - female[known])
            made["gender_ece"] = expected_calibration_error(sure, columns["gender"][0][known])
        return made

    section: dict = {"missed": {"value": int(np.isnan(raw.age).sum()), "n": len(raw.age)}}
    if not len(answered):
        return section
    section |= bootstrap(figures, len(answered))
    for name, (_, among) in columns.items():
        if name in section:
            section[name]["n"] = int(among.sum())
    return section


def groups_of(labels: Labels) -> dict[str, dict[str, np.ndarray]]:
    """Factor to level to (N,) rows: by race, by race and gender, and by age, as far as they are known."""
    races = [race for race in np.unique(labels.race) if race]
    genders = {"male": labels.gender == 0, "female": labels.gender == 1}
    if labels.are_exact:
        ages = dict(age_levels(labels.low))
    else:
        ends = sorted({(int(low), int(high)) for low, high in zip(labels.low, labels.high, strict=True)})
        ages = {f"{low}-{high}": labels.low == low for low, high in ends}
    return {
        "race": {race: labels.race == race for race in races},
        "race × gender": {
            f"{race} {name}": (labels.race == race) & rows for race in races for name, rows in genders.items()
        },
        "age": ages,
    }


def figures_by_group(raw: Raw, labels: Labels, settings: Settings) -> dict:
    """``groups``: of each factor's levels the error of the age and the right genders; ``gaps`` of the races: the largest difference
    of both between any two; ``worst_over_mean``: the worst race and gender's error of the age by the mean of all."""
    columns = columns_of(raw, labels, settings)
    shown = [name for name in ("age_mae", "age_bias", "bin_distance", "inside_bin", "gender_10plus") if name in columns]
    sections: dict = {"groups": {}}
    groups = groups_of(labels)
    for factor, levels in groups.items():
        told = {}
        for level, rows in levels.items():
            figures = {
                name: _mean_of(*columns[name], rows)
                for name in shown
                if (columns[name][1] & rows).sum() >= LEAST_IN_GROUP
            }
            if figures:
                told[level] = figures
        if told:
            sections["groups"][factor] = told
    error = "age_mae" if "age_mae" in columns else "bin_distance"
    for factor, section in (("race", "gaps"), ("race × gender", "worst_over_mean")):
        rows_of = list(groups[factor].values())
        if len(rows_of) > 1:
            sections[section] = _between(columns, rows_of, error, section == "gaps")
    return sections


def _mean_of(values: np.ndarray, among: np.ndarray, rows: np.ndarray) -> dict:
    chosen = np.flatnonzero(among & rows)
    return bootstrap(lambda drawn: {"value": float(values[chosen[drawn]].mean())}, len(chosen))["value"]


def _between(columns: dict, levels: list[np.ndarray], error: str, differ: bool) -> dict:
    """How far groups lie apart: largest less smallest mean of the error and of the right genders, or the worst error by the mean."""
    rows = np.flatnonzero(columns[error][1])

    def means(name: str, drawn: np.ndarray) -> np.ndarray:
        values, among = columns[name]
        chosen = rows[drawn]
        chosen = chosen[among[chosen]]
        return np.array([values[chosen[level[chosen]]].mean() for level in levels if level[chosen].any()])

    def figures(drawn: np.ndarray) -> dict[str, float]:
        errors = means(error, drawn)
        if not differ:
            return {error: float(errors.max() / columns[error][0][rows[drawn]].mean())}
        told = {error: float(np.ptp(errors))}
        if "gender_10plus" in columns:
            told["gender_10plus"] = float(np.ptp(means("gender_10plus", drawn)))
        return told

    return bootstrap(figures, len(rows))


def photos_of_several(name: str, raw: Raw, labels: Labels) -> np.ndarray:
    """(N,) which answered photos show several people: those in which version 0.1.0 found several faces, as far as they
    are listed, and otherwise those in which this model does. The answer there is to be for the most central face."""
    listed = json.loads(SEVERAL.read_text(encoding="utf-8")).get(name)
    several = raw.faces > 1 if listed is None else np.isin(labels.file, listed)
    return several & ~np.isnan(raw.age)


def raw_of(outputs: RawOutputs, folder: pathlib.Path) -> tuple[Raw, Labels]:
    """What a model says of a set, and its labels."""
    if holds_chips(folder):
        labels, pictures = read_chips(folder)
        return outputs.pictures(f"external, {folder.name}", pictures, len(labels.file), labels.file), labels
    labels = read_labels(folder)
    photos = (folder / name for name in labels.file)
    return outputs.photos(f"external, {folder.name}", photos, len(labels.file), labels.file), labels


def measure_external(outputs: RawOutputs, folder: pathlib.Path) -> tuple[str, dict]:
    """The section of a folder, and its name."""
    raw, labels = raw_of(outputs, folder)
    chips = holds_chips(folder)
    section: dict = {"through_the_detector": not chips, "exact_ages": labels.are_exact}
    section |= figures_of_photos(raw, labels, outputs.settings) | figures_by_group(raw, labels, outputs.settings)
    several = np.zeros(len(raw.age), bool) if chips else photos_of_several(folder.name, raw, labels)
    if several.any():
        central = raw.central[several]
        section |= bootstrap(lambda rows: {"most_central": float(central[rows].mean())}, len(central))
    return folder.name, section
