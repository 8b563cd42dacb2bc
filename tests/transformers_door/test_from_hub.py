"""The custom task pulled from a Hub by name and tag, through the real clients."""

import os

import pytest

from tests.hub.server import HubServer
from tests.support import last_json, published_files, run_script

pytest.importorskip("torch", reason="transformers' pipeline needs PyTorch: make test-transformers")

SCRIPT = """
import json
from transformers import pipeline
pipe = pipeline(model="user/age-gender", revision="v0.1.0", trust_remote_code=True)
print(json.dumps(pipe("astronaut.png")))
"""


def test_a_pipeline_by_name_and_tag_predicts_as_the_local_model(root, astronaut, tmp_path, predictor):
    astronaut.save(tmp_path / "astronaut.png")
    files = published_files(root)
    with HubServer() as hub:
        hub.put("model", "user/age-gender", files, tag="v0.1.0")
        hub.put("model", "user/age-gender", {"README.md": b"nothing of use"})  # main has gone on
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
        for name in ("HF_TOKEN", "PYTHONPATH", "HF_HUB_OFFLINE"):
            environment.pop(name, None)
        (face,) = last_json(run_script(SCRIPT, folder=tmp_path, environment=environment))
    (expected,) = predictor(astronaut)
    assert face["box"] == expected.box
    assert face["age"] == pytest.approx(expected.age, abs=0.3)
