"""What `make evaluate` says that it will measure is what it measures."""

import argparse
import pathlib

import numpy as np

from hf_model.faces.quality import MEASURES
from train.measure.outputs import Raw, RawOutputs
from train.measure.plan import jobs
from train.measure.quality import LADDERS, measure_limits
from train.measure.robustness import load_rows
from train.smoke import smoke_chips

MODEL = pathlib.Path(__file__).parents[3] / "hf_model"


def planned(n: int, **limits):
    args = argparse.Namespace(**{"limit": None, "limit_changed": None, "external": [], "model": MODEL} | limits)
    return {name: (chips, photos) for name, chips, photos in jobs({"validation": n, "test": n, "train": 9 * n}, args)}


def test_limits_bound_what_is_planned_and_rows_multiply_it():
    rows = len(load_rows())
    assert planned(2000)["test chips, changed in each of the rows"] == (rows * 2000, 0)
    assert planned(2000, limit_changed=50)["test chips, changed in each of the rows"] == (rows * 50, 0)
    quality = "limits of quality: both splits, step by step"
    assert (
        planned(2000, limit_changed=800)[quality] == planned(2000)[quality]
    )  # it never changes more than its own number
    assert planned(2000, limit=10)["test chips in scenes, upright and tilted"] == (0, 20)
    assert planned(2000, limit=10)["ranges and probabilities: validation chips"] == (10 + rows * 10, 0)


def test_the_limits_of_quality_take_no_more_pictures_than_planned(monkeypatch):
    chips, _ = smoke_chips(4)
    taken = {"none": 0, "all": 0}

    def count(self, part, pictures, number, faces):
        taken[faces] += number
        same = np.full(number, 0.3)
        return Raw(
            100 * same, same, np.full((number, 117), 1 / 117), same, same,
            np.full((number, len(MEASURES)), 0.2),
        )  # fmt: skip

    monkeypatch.setattr(RawOutputs, "_compute", count)
    measure_limits(RawOutputs(MODEL, None), chips, 4)
    most = planned(4, limit=4)["limits of quality: both splits, step by step"]
    assert sum(len(ladder.strengths) for ladder in LADDERS) * 4 <= taken["none"] <= most[0]
    assert taken["all"] <= most[1]
