"""Errors on the chips of the reported split: overall, by group, by predicted age, and how labels are confused."""

import itertools

import numpy as np

from dataset_script.utkface import MAX_AGE
from hf_model.settings import Decision
from train.measure.context import Context
from train.measure.raw.answers import Answers
from train.measure.raw.columns import with_intervals
from train.measure.raw.groups import ADULT_LOOKS, AGE_BINS, factors
from train.measure.report.trust import by_predicted_age, errors_by_predicted_age


def run(context: Context) -> dict:
    """The sections ``overall``, ``groups``, ``confusion``, ``age_interval_width`` and those by predicted age."""
    answers, decision = context.answers, context.settings.decision
    sections: dict = {
        "overall": with_intervals(answers, decision),
        "groups": {
            factor: {
                name: with_intervals(answers.take(np.flatnonzero(mask)), decision)
                for name, mask in levels
                if mask.any()
            }
            for factor, levels in factors(answers.labels)
        },
        "confusion": confusion(answers, decision),
    }
    if not np.isnan(answers.low).any():
        sections["age_interval_width"] = {"median": round(float(np.median(answers.high - answers.low)), 4)}
    sections["by_predicted_age"] = by_predicted_age(answers, decision)
    sections["errors_by_predicted_age"] = errors_by_predicted_age(answers)
    print_summary(sections)
    return sections


def confusion(answers: Answers, decision: Decision) -> dict:
    """How many faces of each label got each answer: what corrects the shares that a bulk run counts.

    Returns:
        ``age_bands``; ``age``: rows of labelled, columns of predicted bands; ``gender``: rows labelled male and female,
        columns called male, uncertain and female; the last two of people of 13 and older.
    """
    bands = [f"{low}-{high - 1}" for low, high in itertools.pairwise(AGE_BINS)]
    starts = np.array(AGE_BINS[:-1])
    labelled, predicted = (
        np.searchsorted(starts, ages, side="right") - 1 for ages in (answers.labels.low, answers.age.clip(0, MAX_AGE))
    )
    ages = np.zeros((len(bands), len(bands)), int)
    np.add.at(ages, (labelled, predicted), 1)
    called = np.where(answers.female < decision.male_below, 0, np.where(answers.female > decision.female_above, 2, 1))
    genders = np.zeros((2, 3), int)
    older = answers.labels.low >= ADULT_LOOKS
    np.add.at(genders, (answers.labels.gender[older], called[older]), 1)
    return {"age_bands": bands, "age": ages.tolist(), "gender": genders.tolist()}


def print_summary(sections: dict) -> None:
    """The figures most asked for, to the terminal."""
    groups = sections["groups"]
    for title, figures in [("overall", sections["overall"]), *groups["range"].items(), *groups["age"].items()]:
        mae, accuracy, auc = (
            figures.get(key, {}).get("value", float("nan")) for key in ("age_mae", "gender_accuracy", "gender_auc")
        )
        print(f"{title:>14}: n {figures['age_mae']['n']:5d}  MAE {mae:5.2f}  gender {accuracy:.4f}  AUC {auc:.4f}")
