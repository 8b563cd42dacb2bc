"""The model tuned by transformers' Trainer on a folder of faces, pushed to a Hub and pulled back."""

import csv
import os
import re

import numpy as np
import pytest

from tests.hub.server import HubServer
from tests.support import hub_environment, last_json, published_files, run_script

pytest.importorskip("accelerate", reason="transformers' Trainer needs accelerate: make test-transformers")
pytest.importorskip("cv2", reason="the changes of training pictures need OpenCV: make test-transformers")
pytest.importorskip("evaluate", reason="the figures of tuning are computed by evaluate: make test-transformers")

TUNE = """
import sys
from train.finetune import main
main(["--model", "user/age-gender", "--data", sys.argv[1], "--chips", "--epochs", "3", "--batch-size", "16",
      "--learning-rate", "1e-4", "--out", sys.argv[2], "--push", "user/mine"])
"""
PULLED = """
import json
from transformers import pipeline
pipe = pipeline(model="user/mine", trust_remote_code=True)
(face,) = pipe("astronaut.png")
fast = pipeline(model="user/mine", trust_remote_code=True, model_kwargs={"engine": "onnx"})
print(json.dumps([face, fast("astronaut.png")[0]["age"]]))
"""


@pytest.fixture
def faces(tmp_path, astronaut):
    """Chips of one face in other light, labelled as somebody twice as old and of the other gender: what the model did
    not say before. Some labels are missing."""
    folder, random = tmp_path / "faces", np.random.default_rng(0)
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "age", "gender"])
        for row in range(64):
            left, top = (int(random.integers(-8, 9)) for _ in range(2))
            chip = astronaut.crop((150 + left, 40 + top, 290 + left, 180 + top))
            light = random.uniform(0.7, 1.2)
            chip.point([min(round(value * light), 255) for value in range(256)] * 3).save(folder / f"{row}.png")
            table.writerow([f"{row}.png", "" if row % 9 == 5 else 60, "" if row % 7 == 3 else 0])
    return folder


@pytest.mark.timeout(900)
def test_the_loss_falls_and_what_is_pushed_answers(root, tmp_path, faces, astronaut):
    astronaut.save(tmp_path / "astronaut.png")
    with HubServer() as hub:
        hub.put("model", "user/age-gender", published_files(root))
        environment = hub_environment(hub, tmp_path)
        printed = run_script(TUNE, faces, tmp_path / "tuned", folder=root, environment=environment)
        losses = [float(loss) for loss in re.findall(r"'loss': '?([\d.e+-]+)", printed)]
        pulled = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
        face, fast = last_json(run_script(PULLED, folder=tmp_path, environment=pulled))
    assert len(losses) == 12
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4]), losses
    assert "58 faces" in printed or "57 faces" in printed
    before, *_, after = (float(found) for found in re.findall(r"'eval_loss': '?([\d.]+)", printed))
    assert after < before
    assert "eval_mae" in printed
    assert "eval_auc" in printed
    assert "python -m train.measure calibrate" in printed
    assert face["age"] > 33  # 29 before
    assert face["age_interval"] is None
    assert fast == pytest.approx(face["age"], abs=0.2)
    assert os.path.isfile(tmp_path / "tuned" / "preprocessor_config.json")
