"""What `make evaluate` says that it will measure is what it measures."""

import pathlib

import numpy as np

from hf_model.faces.quality import MEASURES
from train.measure.calibrate.quality_limits import LADDERS, measure_limits
from train.measure.context import Context
from train.measure.raw.changes import load_rows
from train.measure.raw.outputs import RawOutputs
from train.measure.raw.raw import Raw
from train.measure.report.plan import jobs
from train.smoke import smoke_chips

MODEL = pathlib.Path(__file__).parents[3] / "hf_model"


def planned(n: int, **limits):
    context = Context(MODEL, "", pathlib.Path("cache"), **limits)
    made = jobs({"validation": n, "test": n, "train": 9 * n}, context)
    return {name.split(":")[0]: (chips, photos) for name, chips, photos in made}


def test_limits_bound_what_is_planned_and_rows_multiply_it():
    rows = len(load_rows())
    assert planned(2000)["robustness"] == (rows * 2000, 0)
    assert planned(2000, limit_changed=50)["robustness"] == (rows * 50, 0)
    quality = "quality limits"
    assert (
        planned(2000, limit_changed=800)[quality] == planned(2000)[quality]
    )  # it never changes more than its own number
    assert planned(2000, limit=10)["end to end"] == (0, 20)
    assert planned(2000, limit=10)["uncertainty"] == (10 + rows * 10, 0)


def test_the_limits_of_quality_take_no_more_pictures_than_planned(monkeypatch):
    chips, _ = smoke_chips(4)
    taken = {"none": 0, "all": 0}

    def count(self, part, pictures, number, faces):
        taken[faces] += number
        same = np.full(number, 0.3)
        return Raw(
            100 * same,
            same,
            np.full((number, 117), 1 / 117),
            same,
            same,
            np.full((number, len(MEASURES)), 0.2),
        )

    monkeypatch.setattr(RawOutputs, "_compute", count)
    measure_limits(RawOutputs(MODEL, None), chips, 4)
    most = planned(4, limit=4)["quality limits"]
    assert sum(len(ladder.strengths) for ladder in LADDERS) * 4 <= taken["none"] <= most[0]
    assert taken["all"] <= most[1]
