"""The history of the shipped weights over more than one run."""

import json

from hf_model.settings import Heads
from train.history import SHIPPED, keep_history, read_history, remember_before
from train.measure.files import recipe_of
from train.model import new_model, prepare_stage
from train.recipe import load_recipe
from train.release import export
from train.run import Progress, Run


def make_run(folder, recipe: str, seconds: float):
    folder.mkdir()
    (folder / "run.json").write_text(
        json.dumps({"recipe": recipe, "recipe_text": "Stage(name='whole', zoom=(1.0, 1.0), parts=2)"})
    )
    (folder / "log.csv").write_text(
        "stage,epoch,size,seconds,val_age_mae,val_gender_accuracy,val_gender_auc\n"
        f"whole,1,224,{seconds},6.0,0.8,0.9\n"
        f"whole,2,224,{seconds},5.0,0.9,0.95\n"
    )
    (folder / "model.safetensors").write_bytes(recipe.encode())
    return folder


def test_a_run_from_the_shipped_weights_goes_on_with_their_history(tmp_path):
    shipped, weights = tmp_path / "shipped", tmp_path / "model.safetensors"
    keep_history(make_run(tmp_path / "one", "best", 3600), shipped)
    weights.write_bytes(b"shipped")
    further = make_run(tmp_path / "two", "refine", 1800)
    remember_before(further, str(weights), weights, shipped)
    for _ in range(2):  # exporting again changes nothing
        keep_history(further, shipped)
        first, second = read_history(shipped)
    assert (first["run"]["recipe"], first["hours"]) == ("best", 2.0)
    assert (second["run"]["recipe"], second["hours"]) == ("refine", 1.0)
    assert second["stages"] == [
        {"name": "whole", "size": 224, "passes": 1.0, "age_mae": 5.0, "gender_accuracy": 0.9, "gender_auc": 0.95}
    ]
    assert not list(shipped.rglob("*.safetensors"))
    # Weights from a run's own folder bring that run's history, and weights from anywhere else none.
    third = make_run(tmp_path / "three", "third", 60)
    remember_before(third, str(further / "model.safetensors"), weights, shipped)
    assert [run["run"]["recipe"] for run in read_history(third)] == ["best", "refine", "third"]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "model.safetensors").write_bytes(b"other")
    other = make_run(tmp_path / "four", "best", 60)
    remember_before(other, str(tmp_path / "elsewhere" / "model.safetensors"), weights, shipped)
    keep_history(other, shipped)
    assert [run["run"]["recipe"] for run in read_history(shipped)] == ["best"]


def test_weights_exported_to_another_folder_leave_the_shipped_history_alone(tmp_path):
    heads = {"conv_filters": 8, "conv_kernel": 1, "dense_units": 4, "age_bins": 117}
    run = Run(make_run(tmp_path / "run", "mine", 60))
    (run.folder / "run.json").write_text(json.dumps({"recipe": "mine", "heads": heads}))
    model = new_model(load_recipe("seed"), Heads(**heads), None)
    prepare_stage(model, load_recipe("seed").stages[0], 1)
    run.save(model, Progress(), is_best=False)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps({"heads": {}, "calibration": {"widening": 1}}))
    before = {path: path.read_bytes() for path in SHIPPED.rglob("*") if path.is_file()}
    export.main([str(run.folder), "--model", str(tmp_path / "model")])
    assert recipe_of(tmp_path / "model" / "model.safetensors") == "mine"
    # What was calibrated on the weights before is gone.
    assert json.loads((tmp_path / "model" / "config.json").read_text()) == {"heads": heads}
    assert {path: path.read_bytes() for path in SHIPPED.rglob("*") if path.is_file()} == before
