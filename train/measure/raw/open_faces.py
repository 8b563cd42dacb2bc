"""The faces that may be shown (``dataset_script/london/``), and the figures of any model's answers for them.

Intervals are over people: a resample draws people, each with both photos.
"""

import csv
import dataclasses
import pathlib

import numpy as np

from dataset_script import utkface
from train.measure.raw.bootstrap import bootstrap

FOLDER = pathlib.Path(utkface.__file__).with_name("london")
LEAST_PEOPLE = 9  # of a group, to be told


@dataclasses.dataclass(frozen=True)
class OpenFaces:
    """N photos: ``path``, ``person`` (numbers from 0), ``smiles``, ``age`` in years (NaN untold), ``female`` and
    ``ethnicity``, (N,) each."""

    path: list[pathlib.Path]
    person: np.ndarray
    smiles: np.ndarray
    age: np.ndarray
    female: np.ndarray
    ethnicity: np.ndarray

    @classmethod
    def load(cls, folder: pathlib.Path = FOLDER) -> "OpenFaces":
        """All photos."""
        with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        _, person = np.unique([row["person"] for row in rows], return_inverse=True)
        return cls(
            [folder / row["file_name"] for row in rows],
            person,
            np.array([row["expression"] == "smiling" for row in rows]),
            np.array([float(row["age"] or "nan") for row in rows]),
            np.array([row["gender"] == "1" for row in rows]),
            np.array([row["ethnicity"] for row in rows]),
        )


def figures(faces: OpenFaces, age: np.ndarray, female: np.ndarray, ends: np.ndarray | None = None) -> dict:
    """The figures of (N,) predicted ages, NaN where no face was found, and probabilities of "female".

    Args:
        ends: (N, 2) of prediction intervals, where the model gives them.

    Returns:
        ``people``, ``photos``, ``missed``; ``overall``: ``age_mae``, ``age_bias`` (predicted less own, years),
        ``age_cs5``, ``gender``, ``age_interval_coverage``; ``groups``: the same by gender, ethnicity and age;
        ``pairs``: of two photos of a person, how far the age moves in years and how often the called gender changes.
    """
    bands = {"18-24": (18, 24), "25-34": (25, 34), "35-54": (35, 54)}
    levels = {
        "gender": {"women": faces.female, "men": ~faces.female},
        "ethnicity": {name: faces.ethnicity == name for name in np.unique(faces.ethnicity)},
        "age": {name: (faces.age >= low) & (faces.age <= high) for name, (low, high) in bands.items()},
        "expression": {"neutral": ~faces.smiles, "smiling": faces.smiles},
    }
    everyone = np.ones(len(age), bool)
    groups = {
        factor: {
            name: over_people(faces, age, female, ends, rows)
            for name, rows in parts.items()
            if len(np.unique(faces.person[rows])) >= LEAST_PEOPLE
        }
        for factor, parts in levels.items()
    }
    return {
        "people": int(faces.person.max()) + 1,
        "photos": len(age),
        "missed": int(np.isnan(age).sum()),
        "overall": over_people(faces, age, female, ends, everyone),
        "groups": groups,
        "pairs": pairs(faces.person, age, female),
    }


def over_people(
    faces: OpenFaces, age: np.ndarray, female: np.ndarray, ends: np.ndarray | None, rows: np.ndarray
) -> dict[str, dict]:
    """The figures of some photos."""
    error, right = age - faces.age, (female >= 0.5) == faces.female
    answered, known = ~np.isnan(age), ~np.isnan(age) & ~np.isnan(faces.age)
    values = {
        "age_mae": (np.abs(error), known),
        "age_bias": (error, known),
        "age_cs5": (np.abs(error) <= 5, known),
        "gender": (right, answered),
    }
    if ends is not None:
        values["age_interval_coverage"] = ((ends[:, 0] <= faces.age) & (faces.age <= ends[:, 1]), known)
    people = np.unique(faces.person[rows & answered])
    of_person = [np.flatnonzero(rows & answered & (faces.person == one)) for one in people]

    def means(drawn: np.ndarray) -> dict[str, float]:
        chosen = np.concatenate([of_person[one] for one in drawn])
        found = {name: column[chosen[among[chosen]]] for name, (column, among) in values.items()}
        return {name: float(column.mean()) if len(column) else float("nan") for name, column in found.items()}

    return bootstrap(means, len(people)) if len(people) else {}


def pairs(person: np.ndarray, age: np.ndarray, female: np.ndarray) -> dict[str, dict]:
    """Of people with several photos: ``age_moves``, the mean distance in years between any two answers for one person,
    and ``gender_changes``, the share of people who are called both; over people."""
    several = [np.flatnonzero((person == one) & ~np.isnan(age)) for one in np.unique(person)]
    several = [rows for rows in several if len(rows) > 1]
    if not several:
        return {}
    moves = np.array([np.abs(age[rows][:, None] - age[rows])[np.triu_indices(len(rows), 1)].mean() for rows in several])
    changes = np.array([len(set(female[rows] >= 0.5)) > 1 for rows in several])
    return bootstrap(
        lambda drawn: {"age_moves": float(moves[drawn].mean()), "gender_changes": float(changes[drawn].mean())},
        len(several),
    )
