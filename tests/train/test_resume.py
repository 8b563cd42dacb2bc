"""A run that is stopped or killed goes on as if nothing had happened."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np

from hf_model.network.architecture import build_model
from hf_model.network.weights import load_weights
from tests.train.small import HEADS, stage
from train.fit import fit
from train.model import new_model, prepare_stage
from train.run import Progress, Run


def two_stages(recipe):
    """Two stages of the heads alone: all the bookkeeping of a run at little cost, its mean of the weights too."""
    second = {"epochs": 3, "patience": 9, "schedule": "cosine", "final_learning_rate": 1e-5, "warmup_steps": 2}
    stages = (
        stage("heads", name="first", cached_variants=1),
        stage("heads", name="second", cached_variants=2, keep="last", **second),
    )
    return dataclasses.replace(recipe, stages=stages)


def final_values(model):
    return {v.path: keras.ops.convert_to_numpy(v.value) for v in model.network.variables}


def test_a_run_stopped_after_any_epoch_ends_like_one_that_was_not(recipe, chips, tmp_path, monkeypatch):
    recipe = two_stages(recipe)
    # Tracing the frozen part anew in every life takes longer than running it once.
    monkeypatch.setattr("train.fit.compiled_frozen", lambda model: lambda pictures: np.asarray(model.frozen(pictures)))
    whole = new_model(recipe, HEADS, None)
    fit(whole, chips, Run(tmp_path / "whole"), tmp_path / "whole" / "activations")

    run = Run(tmp_path / "stopped")
    original = Run.save

    class Killed(BaseException):
        pass

    def save_then_die(self, *args, **kwargs):
        original(self, *args, **kwargs)
        raise Killed

    lives = 0
    while not (tmp_path / "stopped" / "model.safetensors").exists():
        lives += 1
        model = new_model(recipe, HEADS, None)
        with monkeypatch.context() as patch:
            if lives <= 2:
                patch.setattr(Run, "save", save_then_die)
            try:
                fit(model, chips, run, tmp_path / "stopped" / "activations")
            except Killed:
                continue
    assert lives == 3
    loaded = [build_model(HEADS) for _ in range(2)]
    for network, name in zip(loaded, ("whole", "stopped"), strict=True):
        load_weights(network, tmp_path / name / "model.safetensors")
    for one, other in zip(*(network.variables for network in loaded), strict=True):
        assert np.allclose(one.value, other.value, rtol=1e-3, atol=1e-4), one.path
    assert (
        (tmp_path / "whole" / "log.csv").read_text().count("\n")
        == (tmp_path / "stopped" / "log.csv").read_text().count("\n")
        == 5
    )


def test_a_half_written_checkpoint_is_never_read(recipe, chips, tmp_path):
    model = new_model(recipe, HEADS, None)
    prepare_stage(model, stage("heads"), 2)
    run = Run(tmp_path)
    assert run.checkpoint() is None
    run.save(model, Progress(stage=0, epoch=1), is_best=True)
    (tmp_path / "checkpoint.part").mkdir()
    (tmp_path / "checkpoint.part" / "progress.json").write_text(json.dumps({"stage": 7}))
    assert run.progress() == Progress(stage=0, epoch=1)
    os.rename(tmp_path / "checkpoint", tmp_path / "checkpoint.old")  # killed between the two renames
    assert run.progress() == Progress(stage=0, epoch=1)
    run.save(model, Progress(stage=0, epoch=2), is_best=False)
    assert run.progress().epoch == 2


def test_the_best_epoch_by_gender_auc_goes_on_where_the_stage_says_so(recipe, chips, tmp_path, monkeypatch):
    recipe = dataclasses.replace(recipe, stages=(stage("heads", epochs=6, patience=2),))
    aucs = iter([0.6, 0.9, 0.8, 0.7, 0.99])
    model = new_model(recipe, HEADS, None)
    seen = []

    def evaluate(*args, **kwargs):
        seen.append(final_values(model)["age_distribution/kernel"].copy())
        return {"age_mae": 1.0, "gender_accuracy": 0.5, "gender_auc": next(aucs)}

    monkeypatch.setattr(model, "evaluate", evaluate)
    fit(model, chips, Run(tmp_path), tmp_path / "activations")
    assert len(seen) == 4  # stopped two epochs after the best
    assert np.array_equal(final_values(model)["age_distribution/kernel"], seen[1])


def test_kill_9_and_resume_from_the_command_line(root, tmp_path):
    command = [sys.executable, "-m", "train", "--smoke", "--recipe", "seed", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "run" / "checkpoint" / "progress.json"
    end = time.monotonic() + 200
    while not checkpoint.exists() and time.monotonic() < end:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode != 0
    assert "--resume" in again.stderr
    resume = [*command, "--resume", "--backbone-weights", "none"]
    resumed = subprocess.run(resume, cwd=root, capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert (tmp_path / "run" / "model.safetensors").exists()
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert len(rows) == 5  # a header, two stages of two epochs, none twice
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {"recipe", "seed", "data_fingerprint", "git_commit", "versions", "backend"} <= set(facts)
    assert facts["backbone_weights"] == "imagenet"  # as the run began, not as it was resumed
