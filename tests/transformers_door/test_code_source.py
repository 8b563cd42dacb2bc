"""Which code a door runs: that of the repo and commit it came from, whole or not at all, two versions side by side."""

import json
import os

import pytest

from tests.hub.server import HubServer
from tests.support import last_json, published_files, run_script

pytest.importorskip("torch", reason="transformers' pipeline needs PyTorch: make test-transformers")

REPO = "user/age-gender.v1"
MARK = b"\nMARK = %r\n"

BOTH = """
import json, sys
from transformers import AutoModel, pipeline
def told(model):
    return [model.package.predictor.MARK, model.predictor.settings.model_version, model.predictor("astronaut.png")[0].box is not None]
import importlib
def load(**options):
    model = AutoModel.from_pretrained("user/age-gender.v1", trust_remote_code=True, **options)
    importlib.import_module(model.package.__name__ + ".predictor")
    return model
answers = {
    "old": told(load(revision="old", code_revision="old")),
    "new": told(load()),
    "old weights, new code": told(load(revision="old", code_revision="main")),
    "old again": told(load(revision="old", code_revision="old")),
}
print(json.dumps(answers))
"""
OFFLINE = """
import json
from transformers import pipeline
pipe = pipeline(model="user/age-gender.v1", trust_remote_code=True)
print(json.dumps(len(pipe("astronaut.png"))))
"""
PARTIAL = """
import json
from transformers import AutoModel
try:
    AutoModel.from_pretrained("user/age-gender.v1", trust_remote_code=True)
except FileNotFoundError as error:
    print(json.dumps(str(error)))
"""
PICKLED = """
import json, pickle, subprocess, sys
from transformers import AutoModel
model = AutoModel.from_pretrained("user/age-gender.v1", trust_remote_code=True)
answers = model.predictor("astronaut.png")
assert type(answers[0]).__module__.partition(".")[0] != "hf_model"
data = pickle.dumps([answers, model.predictor.analyse("astronaut.png").predictions])
try:
    model.predictor("no such file.jpg")
except ValueError as error:
    data2 = pickle.dumps(error)
code = "import pickle, sys; one = pickle.load(sys.stdin.buffer); two = pickle.load(sys.stdin.buffer); print(one[0][0].age, repr(str(two)))"
said = subprocess.run([sys.executable, "-c", code], input=data + data2, capture_output=True, check=True).stdout.decode()
assert pickle.loads(data)[0] == answers
print(json.dumps([answers[0].age, said]))
"""


def as_version(files: dict[str, bytes], version: str) -> dict[str, bytes]:
    """A release whose configuration and code say which they are."""
    config = json.loads(files["config.json"]) | {"model_version": version}
    return files | {
        "config.json": json.dumps(config).encode(),
        "predictor.py": files["predictor.py"] + MARK % version,
    }


@pytest.fixture(scope="module")
def hub(root):
    files = published_files(root)
    with HubServer() as server:
        server.put("model", REPO, as_version(files, "0.0.1"), tag="old")
        server.put("model", REPO, as_version(files, "0.0.2"))
        yield server


@pytest.fixture
def elsewhere(tmp_path, astronaut):
    astronaut.save(tmp_path / "astronaut.png")
    return tmp_path


def environment(folder, **more):
    values = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", **more}
    for name in ("PYTHONPATH", "HF_TOKEN", "HF_HUB_OFFLINE"):
        values.pop(name, None)
    return values | more


def test_two_versions_live_in_one_process_and_code_and_weights_are_chosen_apart(hub, elsewhere):
    said = last_json(run_script(BOTH, folder=elsewhere, environment=environment(elsewhere, HF_ENDPOINT=hub.url)))
    assert said == {
        "old": ["0.0.1", "0.0.1", True],
        "new": ["0.0.2", "0.0.2", True],
        "old weights, new code": ["0.0.2", "0.0.1", True],
        "old again": ["0.0.1", "0.0.1", True],
    }


def test_what_was_pulled_once_answers_without_a_hub(hub, elsewhere):
    run_script(OFFLINE, folder=elsewhere, environment=environment(elsewhere, HF_ENDPOINT=hub.url))
    said = run_script(OFFLINE, folder=elsewhere, environment=environment(elsewhere, HF_HUB_OFFLINE="1"))
    assert last_json(said) == 1


def test_answers_and_errors_unpickle_in_a_process_that_knows_nothing(hub, elsewhere):
    age, said = last_json(
        run_script(PICKLED, folder=elsewhere, environment=environment(elsewhere, HF_ENDPOINT=hub.url))
    )
    assert said.startswith(f"{age} ")
    assert "no such file" in said


def test_code_that_is_not_whole_is_not_imported(root, elsewhere):
    files = published_files(root)
    listed = json.loads(files["package_files.json"])
    assert "faces/detector.py" in listed
    assert "modeling_age_gender.py" not in listed
    del files["faces/detector.py"]
    files["predictor.py"] = b"raise SystemExit('imported')"
    with HubServer() as server:
        server.put("model", REPO, files)
        said = last_json(
            run_script(PARTIAL, folder=elsewhere, environment=environment(elsewhere, HF_ENDPOINT=server.url))
        )
    assert "lacks faces/detector.py" in said
