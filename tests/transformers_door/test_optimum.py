"""The published folder in Optimum: ONNX Runtime's class for image classification gives the predictor's genders."""

import os
import shutil

import pytest

from tests.support import last_json, run_script

pytest.importorskip("optimum.onnxruntime", reason="Optimum is installed by make test-compat alone, for transformers 4")

FACES = 50
CLASSIFY = """
import json, os
import PIL.Image
from optimum.onnxruntime import ORTModelForImageClassification
from transformers import AutoImageProcessor
name = "age-gender"
model = ORTModelForImageClassification.from_pretrained(name, subfolder="onnx", file_name="model.onnx", trust_remote_code=True)
processor = AutoImageProcessor.from_pretrained(name, trust_remote_code=True)
chips = [PIL.Image.open(os.path.join("faces", file)) for file in sorted(os.listdir("faces"))]
logits = model(**processor(chips, return_tensors="pt")).logits
print(json.dumps({"female": logits.softmax(-1)[:, 1].tolist(), "labels": model.config.id2label}))
"""


@pytest.mark.timeout(900)
def test_image_classification_is_the_predictors(root, london, tmp_path):
    from hf_model import AgeGenderPredictor
    from hf_model.network.engines.graph_files import network_file
    from hf_model.settings import Settings

    model = tmp_path / "age-gender"
    shutil.copytree(root / "hf_model", model, ignore=shutil.ignore_patterns("__pycache__", "plots"))
    (model / "onnx").mkdir()
    shutil.copy(
        network_file(Settings.load(root / "hf_model"), root / "hf_model", "float32"), model / "onnx" / "model.onnx"
    )
    predictor = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx", precision="float32")
    (tmp_path / "faces").mkdir()
    crops = [predictor.crops(row["path"])[0][1] for row in london[:FACES]]
    for number, crop in enumerate(crops):
        crop.save(tmp_path / "faces" / f"{number:02d}.png")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "ORT_DISABLE_TELEMETRY": "1"}
    environment.pop("PYTHONPATH", None)
    told = last_json(run_script(CLASSIFY, folder=tmp_path, environment=environment))
    assert told["labels"] == {"0": "male", "1": "female"}
    assert len(told["female"]) == FACES
    for (face,), female in zip(predictor.raw(crops, faces="none"), told["female"], strict=True):
        assert female == pytest.approx(face.female_probability, abs=0.01)
        assert (female >= 0.5) == (face.female_probability >= 0.5)
