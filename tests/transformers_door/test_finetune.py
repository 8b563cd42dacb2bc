"""The model tuned by transformers' Trainer on a folder of faces, pushed to a Hub and pulled back."""

import csv
import os
import re

import numpy as np
import PIL.Image
import pytest

from tests.hub.server import HubServer
from tests.support import hub_environment, last_json, published_files, run_script

pytest.importorskip("accelerate", reason="transformers' Trainer needs accelerate: make test-transformers")
pytest.importorskip("cv2", reason="the changes of training pictures need OpenCV: make test-transformers")

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
def faces(tmp_path):
    """Chips whose brightness tells the age and whose colour tells the gender; some labels are missing."""
    folder, random = tmp_path / "faces", np.random.default_rng(0)
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file_name", "age", "gender"])
        for row in range(64):
            age, gender = int(random.integers(1, 90)), row % 2
            pixels = random.integers(0, 60, (12, 12, 3)) + age + np.array([60 * gender, 0, 0])
            chip = PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).resize((100, 100))
            chip.save(folder / f"{row}.png")
            table.writerow([f"{row}.png", "" if row % 9 == 5 else age, "" if row % 7 == 3 else gender])
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
    assert face["age_interval"] is None
    assert fast == pytest.approx(face["age"], abs=0.2)
    assert os.path.isfile(tmp_path / "tuned" / "preprocessor_config.json")
