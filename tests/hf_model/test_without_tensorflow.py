"""Prediction, command line, page and reports run where neither TensorFlow nor Keras is installed."""

import os

import pytest

from tests.support import last_json, run_script

BLOCKED = """
import sys
sys.modules.update(dict.fromkeys(("tensorflow", "keras", "matplotlib", "datasets")))  # as where they are not installed
"""
API = (
    BLOCKED
    + """
import json
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model", engine=sys.argv[2])
(face,) = predictor(sys.argv[1])
print(json.dumps([predictor.engine, face.age]))
"""
)
COMMAND = BLOCKED + "from hf_model.__main__ import main; sys.exit(main([sys.argv[1], '--json']))"
BUILD = BLOCKED + "from hf_model.engines import main; sys.exit(main(['--build']))"
PAGE = (
    BLOCKED
    + """
import json
sys.path.insert(0, "space")
import app
from demo import Demo
demo = Demo()
assert demo.problem is None, demo.problem
app.build(demo)
print(json.dumps([face.prediction["age"] for face in demo.answer(sys.argv[1], True, ("age",)).faces]))
"""
)
KERAS = (
    BLOCKED
    + """
from hf_model import AgeGenderPredictor
try:
    AgeGenderPredictor.from_pretrained("hf_model", engine="keras")
except ImportError as error:
    print(error)
"""
)


@pytest.fixture
def photo(astronaut, tmp_path):
    astronaut.save(tmp_path / "astronaut.png")
    return tmp_path / "astronaut.png"


def run(root, code, *arguments):
    return run_script(code, *arguments, folder=root, environment=dict(os.environ))


def test_api_command_line_and_page_answer(root, photo, predictor, astronaut):
    pytest.importorskip("openvino", reason="an extra that is not installed")
    (expected,) = predictor(astronaut)
    run(root, BUILD)
    engine, age = last_json(run(root, API, photo, "auto"))
    assert engine.startswith("openvino/")
    assert age == pytest.approx(expected.age, abs=0.5)
    assert last_json(run(root, COMMAND, photo))["faces"][0]["age"] == pytest.approx(expected.age, abs=0.5)
    assert last_json(run(root, PAGE, photo))[0] == pytest.approx(expected.age, abs=0.5)


def test_keras_is_refused_in_a_sentence_that_says_what_to_install(root):
    said = run(root, KERAS).strip().splitlines()
    assert len(said) == 1
    assert "pip install keras tensorflow" in said[0]
