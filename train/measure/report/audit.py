"""What auditors of age estimation ask for: the spread of errors, the line about 18 year by year, challenge ages,
equally weighted groups, several photos of one person, and people's own guesses.

Sources: NIST, Face Analysis Technology Evaluation: Age Estimation and Verification, NIST IR 8525, 2024 (the mean over
equally weighted groups; challenge ages); Agustsson et al., FG 2017 (guesses of people).
"""

import csv
import itertools
import pathlib

import numpy as np

from train.measure.context import Context, raw_of_set
from train.measure.raw.answers import Answers, answers_of
from train.measure.raw.bootstrap import bootstrap, mean_with_interval, means_with_intervals
from train.measure.raw.labels import LABEL_FILES, Labels, holds_chips
from train.measure.raw.open_faces import pairs

YEARS = range(13, 26)
OFF_BY = (5, 10, 15)  # years
CHALLENGES = range(18, 31)  # ages that a stricter check asks for
LINE = 18
CELLS = (0, 13, 18, 25, 35, 45, 55, 65, 117)  # ages between the cells of age × gender
LEAST = 20  # faces of a year or cell
CURVE = np.arange(0, 31)  # years


def run(context: Context) -> dict:
    """The section ``audit`` of ``metrics.json``: of UTKFace ``spread``, ``by_year``, ``challenge`` and ``cells``; of
    every further set with exact ages ``spread``, with persons ``pairs``, with guesses ``people``; by set."""
    section = {"utkface": spread(context.answers) | about_lines(context.answers) | cells(context.answers)}
    for folder in context.external:
        raw, labels = raw_of_set(context.outputs, folder)
        answers = answers_of(raw, labels, context.settings)
        figures = spread(answers) | about_lines(answers) if labels.are_exact else {}
        figures |= persons_of(folder, answers) | people_of(folder, answers)
        if figures:
            section[folder.name] = figures
    return section


def _errors(answers: Answers) -> tuple[np.ndarray, np.ndarray]:
    """Signed errors and labelled ages of the faces that were answered."""
    found = answers.found
    return (answers.age - answers.labels.low)[found], answers.labels.low[found]


def spread(answers: Answers) -> dict:
    """``spread``: the standard deviation and the root mean square of the error in years, the shares of faces that are
    off by more than some years; ``curve``: the share within each whole number of years from 0 to 30."""
    error, _ = _errors(answers)

    def figures(rows: np.ndarray) -> dict[str, float]:
        drawn = error[rows]
        shares = {f"off_by_more_than_{years}": float((np.abs(drawn) > years).mean()) for years in OFF_BY}
        return {"deviation": float(drawn.std()), "root_mean_square": float(np.sqrt((drawn**2).mean()))} | shares

    curve = [round(float((np.abs(error) <= years).mean()), 4) for years in CURVE]
    return {"spread": bootstrap(figures, len(error)), "curve": curve}


def about_lines(answers: Answers) -> dict:
    """``by_year``: the mean absolute and signed error of the people of each year of age from 13 to 25; ``challenge``:
    by the age that a check would ask for, the share of people under 18 who are judged to be at least that old, and of
    adults who are."""
    error, age = _errors(answers)
    predicted = age + error
    by_year = {}
    for year in YEARS:
        rows = np.flatnonzero(age == year)
        if len(rows) >= LEAST:
            chosen = error[rows]
            by_year[str(year)] = means_with_intervals({"age_mae": np.abs(chosen), "age_bias": chosen})
    minors, adults = predicted[age < LINE], predicted[age >= LINE]
    near = predicted[(age < LINE) & (age >= LINE - 5)]
    if min(len(minors), len(adults), len(near)) < LEAST:
        return {"by_year": by_year} if by_year else {}
    challenge = {
        str(asked): {
            "minors_pass": mean_with_interval(minors >= asked),
            "minors_of_13_to_17_pass": mean_with_interval(near >= asked),
            "adults_pass": mean_with_interval(adults >= asked),
        }
        for asked in CHALLENGES
    }
    return {"by_year": by_year, "challenge": challenge}


def cells(answers: Answers) -> dict:
    """``cells``: the mean error of each cell of age × gender, and ``equal``, their mean with the same weight for each:
    it does not depend on whom a set happens to hold."""
    error, age = _errors(answers)
    gender = answers.labels.gender[answers.found]
    groups = {}
    for low, high in itertools.pairwise(CELLS):
        for number, name in enumerate(("male", "female")):
            rows = np.flatnonzero((age >= low) & (age < high) & (gender == number))
            if len(rows) >= LEAST:
                groups[f"{low}-{high - 1} {name}"] = np.abs(error[rows])
    random = np.random.default_rng(0)
    drawn = [
        np.mean([values[random.integers(0, len(values), len(values))].mean() for values in groups.values()])
        for _ in range(1000)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    equal = {
        "value": round(float(np.mean([values.mean() for values in groups.values()])), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "n": int(sum(map(len, groups.values()))),
    }
    return {"cells": {name: mean_with_interval(values) for name, values in groups.items()}, "equal": equal}


def persons_of(folder: pathlib.Path, answers: Answers) -> dict:
    """``pairs``: of a set whose labels name the person, see :func:`train.measure.raw.open_faces.pairs`."""
    column = _column(folder, LABEL_FILES, "person", answers.labels)
    return {} if column is None else {"pairs": pairs(np.array(column), answers.age, answers.female)}


def people_of(folder: pathlib.Path, answers: Answers) -> dict:
    """``people``: of a set with the mean guess of many people for each photo (``apparent.csv``): their error and this
    model's, from the true age, and this model's distance from their guess; over the photos with an answer."""
    column = _column(folder, ("apparent.csv",), "apparent_age", answers.labels)
    if column is None:
        return {}
    found, guess = answers.found, np.array(column, float)
    truth, age = answers.labels.low[found], answers.age[found]
    guess = guess[found]
    values = {
        "people_mae": np.abs(guess - truth),
        "people_cs5": np.abs(guess - truth) <= 5,
        "model_mae": np.abs(age - truth),
        "model_cs5": np.abs(age - truth) <= 5,
        "model_from_people_mae": np.abs(age - guess),
    }
    return {"people": means_with_intervals(values)}


def _column(folder: pathlib.Path, names: tuple[str, ...], column: str, labels: Labels) -> list[str] | None:
    """A column of a folder's table, in the order of some labels; None where it has none."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None or holds_chips(folder):
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row.get("file") or row.get("file_name"): row.get(column) for row in csv.DictReader(file)}
    found = [rows.get(name) for name in labels.file.tolist()]
    return None if any(value in (None, "") for value in found) else [str(value) for value in found]
