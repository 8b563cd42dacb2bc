"""What train–test leakage does to the figures: all sets with and without the measured faces that trained after all.

``python -m train.curate.find_leakage`` listed them in ``leakage.json``, for certain weights.
"""

import json
import pathlib

import numpy as np

from hf_model.download import WEIGHTS_NAME, file_sha256
from hf_model.settings import Settings
from train.measure.context import Context, raw_of_set
from train.measure.raw.labels import Labels
from train.measure.raw.raw import Raw
from train.measure.report.compare import figures_of_set, utkface

LISTED = pathlib.Path(__file__).with_name("leakage.json")


def run(context: Context) -> dict | None:
    """The section ``leakage`` of ``metrics.json``, None where nothing is known: of other weights, or of a part of the
    faces."""
    listed = json.loads(LISTED.read_text(encoding="utf-8"))
    if context.limit is not None:
        print("With --limit nothing is said about leakage.")
        return None
    if listed["weights_sha256"] != file_sha256(context.model / WEIGHTS_NAME):
        print(f"{LISTED.name} is of other weights: python -m train.curate.find_leakage makes it for these.")
        return None
    sets = {"utkface": utkface(context.outputs, context)}
    sets |= {folder.name: raw_of_set(context.outputs, folder) for folder in context.external}
    return {
        name: with_and_without(*pair, context.settings, list(listed["leaked"].get(name, {})))
        for name, pair in sets.items()
    }


def with_and_without(raw: Raw, labels: Labels, settings: Settings, leaked: list[str]) -> dict:
    """``leaked`` of ``of`` faces, and the figures of ``all`` and of those ``without``."""
    was = np.isin(labels.file, leaked)
    rest = np.flatnonzero(~was)
    figures = {"leaked": int(was.sum()), "of": len(was), "all": figures_of_set(raw, labels, settings)}
    return figures | {"without": figures_of_set(raw.take(rest), labels.take(rest), settings)}
