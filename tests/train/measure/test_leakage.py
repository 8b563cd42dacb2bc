"""The figures of a set with and without the faces that were seen."""

import json

import numpy as np

from tests.train.measure.test_compare import Model, labels
from train.measure.context import Context
from train.measure.report import leakage


def test_figures_are_told_with_and_without_the_faces_that_were_seen():
    model, made = Model([24, 34, 44, 90], [0.1, 0.9, 0.1, 0.1]), labels([20, 30, 40, 50], [0, 1, 0, 1])
    told = leakage.with_and_without(model.raw, made, model.settings, ["3", "no face of this set"])
    assert (told["leaked"], told["of"]) == (1, 4)
    assert told["all"]["age_mae"] == (4 + 4 + 4 + 40) / 4
    assert told["without"]["age_mae"] == 4
    assert (told["all"]["gender"], told["without"]["gender"]) == (0.75, 1)


def test_of_other_weights_nothing_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "model.safetensors").write_bytes(b"new")
    (tmp_path / "leakage.json").write_text(json.dumps({"weights_sha256": "old", "leaked": {}}))
    monkeypatch.setattr(leakage, "LISTED", tmp_path / "leakage.json")
    assert leakage.run(Context(tmp_path, "nowhere", tmp_path)) is None
    assert "is of other weights" in capsys.readouterr().out


def test_what_the_card_tells_is_of_the_weights_that_ship(root):
    listed = json.loads((root / "train" / "measure" / "report" / "leakage.json").read_text())
    metrics = json.loads((root / "hf_model" / "metrics.json").read_text())
    assert ("leakage" in metrics) == (listed["weights_sha256"] == metrics["weights_sha256"])
    for name, part in metrics.get("leakage", {}).items():
        assert part["leaked"] == len(listed["leaked"][name])
        assert np.isfinite([*part["all"].values(), *part["without"].values()]).all()
