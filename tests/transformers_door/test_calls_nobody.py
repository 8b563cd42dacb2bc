"""transformers' doors, on a folder, look up no name and connect to nobody."""

import pytest

from tests.support import run_script

pytest.importorskip("torch", reason="transformers' pipeline needs PyTorch: make test-transformers")
DOORS = """
from transformers import AutoModel, pipeline
pipe = pipeline("image-classification", model="hf_model", trust_remote_code=True)
assert pipe("PHOTO")[0]["age"] > 0
assert AutoModel.from_pretrained("hf_model", trust_remote_code=True).predictor("PHOTO")[0].age > 0
"""


def test_both_doors_ask_nobody(root, astronaut, recorded, tmp_path):
    environment, record = recorded
    astronaut.save(tmp_path / "photo.png")
    run_script(DOORS.replace("PHOTO", str(tmp_path / "photo.png")), folder=root, environment=environment)
    assert record() == []
