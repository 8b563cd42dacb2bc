"""The model beside earlier ones, on the same faces: ``python -m train.measure compare --before 0.2.0=FOLDER``.

Of each set and model the error of the age, shares and genders; and, new minus before over the faces that both answered,
the paired differences with 95 % bootstrap intervals. A model is a folder with ``config.json`` and weights; whole
genders and ages do not depend on its calibration. Written to ``train/measure/report/models.json``. Nothing is chosen by
these sets: they report.
"""

import functools
import json
import pathlib
from collections.abc import Callable

import numpy as np

from hf_model.download import write_whole
from hf_model.settings import Settings
from train.measure.context import Context, raw_of_set
from train.measure.raw.answers import answers_of
from train.measure.raw.bootstrap import bootstrap
from train.measure.raw.columns import columns_of
from train.measure.raw.labels import Labels
from train.measure.raw.outputs import RawOutputs
from train.measure.raw.raw import Raw
from train.measure.report.datasets import figures_by_group

RESULTS = pathlib.Path(__file__).with_name("models.json")
SHIPPED = "shipped"
MEASURES = ("age_mae", "age_cs5", "bin_distance", "inside_bin", "gender", "gender_10plus")


def run(context: Context) -> None:
    """Writes ``models.json``.

    Raises:
        ValueError: no earlier model was named.
    """
    if not context.before:
        raise ValueError("compare: name earlier models, --before NAME=FOLDER.")
    models = {name: RawOutputs(folder, context.cache) for name, folder in context.before} | {SHIPPED: context.outputs}
    sets: dict[str, Callable[[RawOutputs], tuple[Raw, Labels]]] = {
        "utkface": functools.partial(utkface, context=context),
        **{folder.name: functools.partial(raw_of_set, folder=folder) for folder in context.external},
    }
    made = {name: compare(models, answered) for name, answered in sets.items()}
    keys = {name: outputs.key for name, outputs in models.items()}
    write_whole(RESULTS, json.dumps({"weights_sha256": keys, "sets": made}, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(made, indent=1))


def utkface(outputs: RawOutputs, context: Context) -> tuple[Raw, Labels]:
    """UTKFace's test faces."""
    chips = context.chips("test")
    return outputs.chips("test", chips.images), Labels.of(chips)


def values_of(raw: Raw, labels: Labels, settings: Settings) -> dict[str, np.ndarray]:
    """(N,) of each measure, NaN where a face has none."""
    table = columns_of(answers_of(raw, labels, settings), settings.decision)
    return {
        name: np.where(table[name].among, table[name].values.astype(float), np.nan)
        for name in MEASURES
        if name in table
    }


def figures_of_set(raw: Raw, labels: Labels, settings: Settings) -> dict[str, float]:
    """The mean of each measure, and the gaps between races."""
    told = {key: round(float(np.nanmean(column)), 4) for key, column in values_of(raw, labels, settings).items()}
    gaps = figures_by_group(answers_of(raw, labels, settings), settings.decision).get("gaps", {})
    return told | {f"{key}_gap": round(figure["value"], 4) for key, figure in gaps.items()}


def paired(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, dict]:
    """After minus before, over the faces that both have."""
    told: dict[str, dict] = {}
    for name, first in before.items():
        difference = after[name] - first
        difference = difference[~np.isnan(difference)]
        if len(difference):
            told |= bootstrap(functools.partial(_mean, name, difference), len(difference))
    return told


def _mean(name: str, values: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    return {name: float(values[rows].mean())}


def compare(models: dict[str, RawOutputs], answered: Callable[[RawOutputs], tuple[Raw, Labels]]) -> dict:
    """The section of one set: ``models`` by name, and what the last of them gained on each other in ``gained_on``."""
    values, told = {}, {}
    for name, outputs in models.items():
        raw, labels = answered(outputs)
        values[name] = values_of(raw, labels, outputs.settings)
        told[name] = figures_of_set(raw, labels, outputs.settings)
    *earlier, last = values
    return {"models": told, "gained_on": {name: paired(values[name], values[last]) for name in earlier}}
