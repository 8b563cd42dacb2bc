"""What people pass to transformers reaches the predictor, or is refused; and a model that is saved is whole."""

import importlib.util
import shutil

import pytest

from tests.support import json_offline

pytest.importorskip("torch", reason="transformers' pipeline needs PyTorch: make test-transformers")

# The environment of the oldest supported releases has Keras alone.
needs_engines = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnxruntime", "openvino")),
    reason="wants onnxruntime and openvino: make test-transformers",
)

OPTIONS = """
import json, sys
from transformers import AutoModel, AutoModelForImageClassification, pipeline
name = "model.v1.5"
pipe = pipeline(model=name, trust_remote_code=True, model_kwargs={"engine": "onnx"})
answers = pipe("astronaut.png")
half = pipeline(model=name, trust_remote_code=True, dtype="bfloat16", model_kwargs={"engine": "onnx"})
try:
    half("astronaut.png")
except ValueError as error:
    refused = str(error)
fast = AutoModel.from_pretrained(name, trust_remote_code=True, engine="openvino", precision="float32", local_files_only=True)
classifier = AutoModelForImageClassification.from_pretrained(name, trust_remote_code=True, engine="keras")
print(json.dumps({
    "engines": [pipe.model.predictor.engine, fast.predictor.engine, classifier.predictor.engine],
    "refused": refused,
    "ages": [answers[0]["age"], fast.predictor("astronaut.png")[0].age, classifier.predictor("astronaut.png")[0].age],
    "default": AutoModel.from_pretrained(name, trust_remote_code=True).predictor.engine,
}))
"""
SAVED = """
import json
from transformers import AutoModel, pipeline
AutoModel.from_pretrained("model.v1.5", trust_remote_code=True).save_pretrained("saved")
pipeline(model="model.v1.5", trust_remote_code=True).save_pretrained("saved too")
print(json.dumps([pipeline(model=name, trust_remote_code=True)("astronaut.png")[0]["age"] for name in ("saved", "saved too")]))
"""
PICKLED = """
import json, multiprocessing, pickle
from transformers import AutoModel

def age(model):
    return model.predictor("astronaut.png")[0].age

if __name__ == "__main__":
    model = AutoModel.from_pretrained("model.v1.5", trust_remote_code=True, engine="onnx")
    again = pickle.loads(pickle.dumps(model.predictor))
    print(json.dumps([again.engine, again("astronaut.png")[0].age, age(model)]))
"""


@pytest.fixture(scope="module")
def elsewhere(root, astronaut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(root / "hf_model", folder / "model.v1.5", ignore=shutil.ignore_patterns("__pycache__"))
    astronaut.save(folder / "astronaut.png")
    return folder


@needs_engines
def test_engine_and_precision_reach_the_predictor_or_are_refused(elsewhere):
    told = json_offline(OPTIONS, elsewhere)
    assert told["engines"] == ["onnx/float32", "openvino/float32", "keras/float32"]
    assert told["default"] == "torch/float32 on cpu"
    assert "engine='onnx'" in told["refused"]
    assert "bfloat16" in told["refused"]
    assert max(told["ages"]) - min(told["ages"]) < 0.1


def test_a_saved_model_is_whole(elsewhere):
    ages = json_offline(SAVED, elsewhere)
    assert abs(ages[0] - ages[1]) < 0.01
    for name in ("saved", "saved too"):
        missing = {
            path.relative_to(elsewhere / "model.v1.5")
            for path in (elsewhere / "model.v1.5").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        } - {path.relative_to(elsewhere / name) for path in (elsewhere / name).rglob("*")}
        assert not missing


@needs_engines
def test_the_doors_predictor_pickles(elsewhere):
    engine, again, before = json_offline(PICKLED, elsewhere)
    assert engine == "onnx/float32"
    assert again == before
