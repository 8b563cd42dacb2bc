"""Faces of other datasets: what falls off out of domain, and by how much, for whom; see
:mod:`train.measure.raw.labels`."""

import json
import pathlib

import numpy as np

from hf_model.settings import Decision
from train.measure.context import Context, raw_of_set
from train.measure.raw.answers import Answers, answers_of
from train.measure.raw.bootstrap import bootstrap, mean_with_interval
from train.measure.raw.columns import Column, calibration_error, columns_of
from train.measure.raw.groups import age_levels
from train.measure.raw.labels import Labels, holds_chips
from train.measure.raw.raw import Raw

SEVERAL = pathlib.Path(__file__).with_name("several_faces.json")
LEAST_IN_GROUP = 30  # faces, for a group to be told
# Of the columns of a face those that are reported of a set.
MEASURES = (
    "age_mae",
    "age_bias",
    "age_cs5",
    "age_interval_coverage",
    "bin_distance",
    "inside_bin",
    "range_meets_bin",
    "gender",
    "called_wrong",
    "gender_log_loss",
    "gender_10plus",
    "women_10plus",
    "men_10plus",
)


def run(context: Context) -> dict:
    """The section ``external`` of ``metrics.json``: each set by its folder's name."""
    return {folder.name: measure(context, folder) for folder in context.external}


def measure(context: Context, folder: pathlib.Path) -> dict:
    """The figures of one set."""
    raw, labels = raw_of_set(context.outputs, folder)
    answers, decision, chips = answers_of(raw, labels, context.settings), context.settings.decision, holds_chips(folder)
    section: dict = {"through_the_detector": not chips, "exact_ages": labels.are_exact}
    section |= figures_of_photos(answers, decision) | figures_by_group(answers, decision)
    several = np.zeros(len(labels), bool) if chips else photos_of_several(folder.name, raw, labels)
    if several.any():
        central = raw.central[several]
        section |= bootstrap(lambda rows: {"most_central": float(central[rows].mean())}, len(central))
    return section


def figures_of_photos(answers: Answers, decision: Decision) -> dict[str, dict]:
    """The figures of all photos, over those that were answered, with intervals, and how many had no face that was
    found."""
    table = {name: column for name, column in columns_of(answers, decision).items() if name in MEASURES}
    answered = np.flatnonzero(answers.found)

    def figures(drawn: np.ndarray) -> dict[str, float]:
        rows = answered[drawn]
        made = {name: column.mean(rows) for name, column in table.items()}
        known = rows[answers.labels.gender[rows] >= 0]
        return made | ({"gender_ece": calibration_error(answers, known)} if len(known) else {})

    section: dict = {"missed": {"value": int((~answers.found).sum()), "n": len(answers)}}
    if not len(answered):
        return section
    section |= bootstrap(figures, len(answered))
    for name, column in table.items():
        if name in section:
            section[name]["n"] = int(column.among.sum())
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


def figures_by_group(answers: Answers, decision: Decision) -> dict:
    """``groups``: of each factor's levels the error of the age and the right genders; ``gaps`` of the races: the
    largest difference of both between any two; ``worst_over_mean``: the worst race and gender's error of the age by the
    mean of all."""
    table = columns_of(answers, decision)
    shown: list[str] = [
        name for name in ("age_mae", "age_bias", "bin_distance", "inside_bin", "gender_10plus") if name in table
    ]
    sections: dict = {"groups": {}}
    groups = groups_of(answers.labels)
    for factor, levels in groups.items():
        told = {level: _figures_of_level(table, shown, rows) for level, rows in levels.items()}
        if any(told.values()):
            sections["groups"][factor] = {level: figures for level, figures in told.items() if figures}
    error = "age_mae" if "age_mae" in table else "bin_distance"
    for factor, section in (("race", "gaps"), ("race × gender", "worst_over_mean")):
        rows_of = list(groups[factor].values())
        if len(rows_of) > 1:
            sections[section] = _between(table, rows_of, error, section == "gaps")
    return sections


def _figures_of_level(table: dict[str, Column], shown: list[str], rows: np.ndarray) -> dict[str, dict]:
    """Of a level the measures that enough of its faces have."""
    figures = {}
    for name in shown:
        chosen = np.flatnonzero(table[name].among & rows)
        if len(chosen) >= LEAST_IN_GROUP:
            values = table[name].values[chosen]
            figures[name] = mean_with_interval(values)
    return figures


def _between(table: dict[str, Column], levels: list[np.ndarray], error: str, differ: bool) -> dict:
    """How far groups lie apart: largest less smallest mean of the error and of the right genders, or the worst error by
    the mean."""
    rows = np.flatnonzero(table[error].among)

    def means(name: str, drawn: np.ndarray) -> np.ndarray:
        column, chosen = table[name], rows[drawn]
        chosen = chosen[column.among[chosen]]
        return np.array([column.values[chosen[level[chosen]]].mean() for level in levels if level[chosen].any()])

    def figures(drawn: np.ndarray) -> dict[str, float]:
        errors = means(error, drawn)
        if not differ:
            return {error: float(errors.max() / table[error].values[rows[drawn]].mean())}
        told = {error: float(np.ptp(errors))}
        if "gender_10plus" in table:
            told["gender_10plus"] = float(np.ptp(means("gender_10plus", drawn)))
        return told

    return bootstrap(figures, len(rows))


def photos_of_several(name: str, raw: Raw, labels: Labels) -> np.ndarray:
    """(N,) which answered photos show several people: those in which version 0.1.0 found several faces, as far as they
    are listed, and otherwise those in which this model does. The answer there is to be for the most central face."""
    listed = json.loads(SEVERAL.read_text(encoding="utf-8")).get(name)
    several = raw.faces > 1 if listed is None else np.isin(labels.file, listed)
    return several & ~np.isnan(raw.age)
