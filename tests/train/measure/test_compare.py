"""Two models on the same faces."""

import json
import types

import numpy as np
import pytest

from hf_model.settings import Decision
from train.measure.__main__ import main
from train.measure.context import raw_of_set
from train.measure.raw.labels import Labels
from train.measure.raw.raw import Raw
from train.measure.report.compare import compare, paired

DECISION = types.SimpleNamespace(decision=Decision(0.45, 0.55), calibration=None)


class Model:
    """A model that says given ages and probabilities."""

    def __init__(self, age, female):
        age, female, n = np.array(age, float), np.array(female, float), len(age)
        self.raw = Raw(age, female, np.full((n, 117), np.nan), np.ones(n), np.ones(n), np.zeros((n, 12)))
        self.settings = DECISION


def labels(low, gender) -> Labels:
    low = np.array(low, float)
    return Labels(np.arange(len(low)).astype(str), low, low, np.array(gender), np.full(len(low), ""))


def test_differences_are_over_the_faces_that_both_answered():
    first, second = {"age_mae": np.array([4.0, np.nan, 2.0])}, {"age_mae": np.array([1.0, 9.0, 1.0])}
    found = paired(first, second)["age_mae"]
    assert found["value"] == pytest.approx(-2)
    assert found["n"] == 2
    assert found["low"] <= -2 <= found["high"]
    assert paired({"gender": np.array([np.nan])}, {"gender": np.array([1.0])}) == {}


def test_each_model_has_its_figures_and_the_last_what_it_gained():
    made = labels([20, 30, 40, 50], [0, 1, 0, 1])
    models = {
        "before": Model([24, 34, 44, np.nan], [0.9, 0.9, 0.1, 0.9]),
        "shipped": Model([22, 32, 42, 60], [0.1, 0.9, 0.1, 0.9]),
    }
    section = compare(models, lambda model: (model.raw, made))
    assert section["models"]["before"]["age_mae"] == 4
    assert (
        section["models"]["shipped"]["age_mae"] == 4
    )  # the last is 10 years off, and the earlier model has no answer there
    assert section["gained_on"]["before"]["age_mae"]["value"] == pytest.approx(-2)
    assert section["models"]["shipped"]["gender_10plus"] == 1
    assert section["gained_on"]["before"]["gender"]["value"] == pytest.approx(1 / 3, abs=1e-3)


def test_the_command_writes_one_file(root, tmp_path, astronaut, monkeypatch):
    folder = tmp_path / "photos"
    folder.mkdir()
    astronaut.save(folder / "one.png")
    (folder / "labels.csv").write_text("file,age,gender\none.png,40,1\n")
    monkeypatch.setattr("train.measure.report.compare.RESULTS", tmp_path / "models.json")
    monkeypatch.setattr("train.measure.report.compare.utkface", lambda outputs, context: raw_of_set(outputs, folder))
    model = str(root / "hf_model")
    places = ["--model", model, "--data", "x", "--external", str(folder), "--cache", str(tmp_path)]
    main(["compare", "--before", f"old={model}", *places])
    written = json.loads((tmp_path / "models.json").read_text())
    assert list(written["weights_sha256"]) == ["old", "shipped"]
    assert written["sets"]["photos"]["gained_on"]["old"]["age_mae"]["value"] == 0
