"""The custom task, from a copy that holds only what gets published, outside the checkout."""

import json
import os
import shutil

import pytest
from huggingface_hub import ImageClassificationOutputElement

from tests.support import last_json, run_script

pytest.importorskip("torch", reason="transformers' pipeline needs PyTorch: make test-transformers")

SCRIPT = """
import json, os, sys
from transformers import pipeline
pipe = pipeline(model=sys.argv[1], trust_remote_code=True)
photo = "astronaut.png"
import PIL.Image
black = PIL.Image.new("RGB", (100, 100))
def stream():
    yield photo
    yield black
    yield photo
import datasets
column = datasets.Dataset.from_dict({"image": [photo, photo]}).cast_column("image", datasets.Image())["image"]
print(json.dumps({
    "one": pipe(photo),
    "pil": pipe(PIL.Image.open(photo)),
    "many": pipe([photo, black, photo], batch_size=2),
    "all": pipe(photo, faces="all"),
    "none": pipe([photo, photo], faces="none"),
    "stream": list(pipe(stream(), batch_size=2)),
    "column": list(pipe(column)),
    "task": pipe.task,
    "project_on_path": any(os.path.exists(os.path.join(p, "dataset_script")) for p in sys.path),
}))
"""


@pytest.fixture(scope="module")
def published(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "age-gender"
    shutil.copytree(root / "hf_model", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def answers(published, astronaut, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    astronaut.save(elsewhere / "astronaut.png")
    environment = {**os.environ, "HF_HOME": str(elsewhere / "hf"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    return last_json(run_script(SCRIPT, published, folder=elsewhere, environment=environment))


def test_the_pipeline_gives_the_predictors_answers(answers, predictor, astronaut):
    expected = [face.to_dict() for face in predictor(astronaut)]
    assert answers["task"] == "image-classification"
    assert not answers["project_on_path"]
    (face,) = answers["one"]
    assert face["box"] == expected[0]["box"]
    assert face["age"] == pytest.approx(expected[0]["age"], abs=0.3)
    assert (face["label"], face["score"]) == ("female", face["female_probability"])
    elements = ImageClassificationOutputElement.parse_obj_as_list(json.dumps(answers["one"]).encode())
    assert (elements[0].label, elements[0].score) == ("female", face["score"])
    assert answers["pil"] == answers["all"] == answers["one"]


def close(first, second):
    if len(first) != len(second):
        return False
    return all(a["box"] == b["box"] and abs(a["age"] - b["age"]) < 0.01 for a, b in zip(first, second, strict=True))


def test_lists_with_a_batch_size_generators_and_columns_come_back_in_order(answers):
    one = answers["one"]
    for key in ("many", "stream"):
        first, second, third = answers[key]
        assert second == []
        assert close(first, one)
        assert close(third, one)
    assert len(answers["column"]) == 2
    assert all(close(item, one) for item in answers["column"])


def test_without_a_detector_every_photo_is_one_face(answers):
    assert [len(item) for item in answers["none"]] == [1, 1]
    assert answers["none"][0][0]["box"] is None
