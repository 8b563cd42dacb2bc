"""Plots of an evaluation as PNG: error by age, predicted against labelled, reliability, gender by age."""

import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from dataset_script.utkface import MAX_AGE


def plot_all(answers, metrics: dict, folder: pathlib.Path) -> None:
    """Writes the four plots.

    Args:
        answers: a :class:`train.measure.answers.Answers`.
        metrics: what ``metrics.json`` holds.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    by_age = metrics["groups"]["age"]

    figure, axes = plt.subplots(figsize=(7, 4))
    _with_intervals(axes, by_age, "age_mae")
    axes.set(xlabel="labelled age", ylabel="mean absolute error, years", title="Age error by age")
    _write(figure, folder / "error_by_age.png")

    figure, axes = plt.subplots(figsize=(5, 5))
    axes.plot([0, MAX_AGE], [0, MAX_AGE], color="grey", linewidth=1)
    axes.scatter(answers.chips.age, answers.age, s=4, alpha=0.3)
    axes.set(
        xlabel="labelled age",
        ylabel="predicted age",
        xlim=(0, MAX_AGE),
        ylim=(0, MAX_AGE),
        title="Predicted and labelled age",
    )
    _write(figure, folder / "predicted_and_labelled.png")

    figure, axes = plt.subplots(figsize=(5, 5))
    index = np.minimum((answers.female * 10).astype(int), 9)
    used = [bin_ for bin_ in range(10) if (index == bin_).sum() >= 10]
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(
        [answers.female[index == bin_].mean() for bin_ in used],
        [answers.chips.gender[index == bin_].mean() for bin_ in used],
        marker="o",
    )
    axes.set(xlabel="probability of “female”", ylabel="share labelled female", title="Reliability")
    _write(figure, folder / "reliability.png")

    figure, axes = plt.subplots(figsize=(7, 4))
    _with_intervals(axes, by_age, "gender_accuracy")
    axes.set(xlabel="labelled age", ylabel="gender accuracy", title="Gender accuracy by age")
    _write(figure, folder / "gender_by_age.png")


def _with_intervals(axes, levels: dict, metric: str) -> None:
    """A bar a level with its 95 % interval."""
    figures = [level[metric] for level in levels.values()]
    values = [figure["value"] for figure in figures]
    errors = [[f["value"] - f["low"] for f in figures], [f["high"] - f["value"] for f in figures]]
    axes.bar(list(levels), values, yerr=np.clip(errors, 0, None), capsize=3)
    axes.tick_params(axis="x", rotation=45)


def _write(figure, path: pathlib.Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
