"""What was published comes back: by tag, in fresh processes that know only the Hub's address."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from huggingface_hub import HfApi

from tests.hub.server import HubServer
from tests.support import last_json, run_script
from train.release.contents import MODEL_FILES, Release, list_files, space_release
from train.release.publish import push

REPO = "user/age-gender"


WITH_LITTLE = """
import json, sys
for name in ("mtcnn", "onnx", "lz4", "joblib", "tensorflow", "keras", "torch", "transformers"):
    sys.modules[name] = None  # as where it is not installed
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name in sys.modules and sys.modules[name] is None else find(name, *more)
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model")
print(json.dumps([predictor("astronaut.png")[0].age, predictor.engine]))
"""


@pytest.fixture(scope="module")
def hub():
    with HubServer() as server:
        yield server


@pytest.fixture(scope="module")
def two_versions(hub, root):
    """The committed model as v0.1.0, and a v0.2.0 that differs in one constant of its config."""
    api = HfApi(endpoint=hub.url, token="hf_writer")
    files = list_files(root / "hf_model", MODEL_FILES)
    push(api, Release("model", REPO, "0.1.0", files, tag="v0.1.0"), private=False)
    config = json.loads((root / "hf_model" / "config.json").read_text(encoding="utf-8"))
    config["decision"] = {"male_below": 0.0, "female_above": 1.0}
    changed = {**files, "config.json": json.dumps(config).encode()}
    push(api, Release("model", REPO, "0.2.0", changed, tag="v0.2.0"), private=False)
    return hub


@pytest.fixture
def elsewhere(tmp_path, astronaut):
    """A folder outside the checkout with a photo in it, and nothing of the project."""
    astronaut.save(tmp_path / "astronaut.png")
    return tmp_path


def environment(hub, folder, **more):
    """A process that reaches this Hub alone, with empty caches of its own."""
    values = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "TF_CPP_MIN_LOG_LEVEL": "3", **more}
    for name in ("HF_TOKEN", "PYTHONPATH", "HF_HUB_OFFLINE", "MODEL_ID", "MODEL_REVISION"):
        if name not in more:
            values.pop(name, None)
    return values


def run(hub, folder, code, **more):
    return last_json(run_script(code, folder=folder, environment=environment(hub, folder, **more)))


PULL = """
import json
from huggingface_hub import snapshot_download
snapshot_download("user/age-gender", revision="v0.1.0", local_dir="hf_model")
from hf_model import AgeGenderPredictor
answers = {"folder": AgeGenderPredictor.from_pretrained("hf_model")("astronaut.png")}
for tag in ("v0.1.0", "v0.2.0"):
    answers[tag] = AgeGenderPredictor.from_pretrained("user/age-gender", revision=tag)("astronaut.png")
print(json.dumps({key: [face.to_dict() for face in faces] for key, faces in answers.items()}))
"""


def test_a_pulled_version_predicts_as_the_local_one_and_two_versions_live_side_by_side(
    two_versions, elsewhere, astronaut, predictor
):
    answers = run(two_versions, elsewhere, PULL)
    (expected,) = [face.to_dict() for face in predictor(astronaut)]
    for key in ("folder", "v0.1.0", "v0.2.0"):
        (face,) = answers[key]
        assert face["age"] == pytest.approx(expected["age"], abs=0.3)  # bfloat16 beside float32
        assert face["box"] == expected["box"]
    assert answers["v0.1.0"][0]["gender"] == expected["gender"]
    assert answers["v0.2.0"][0]["gender"] == "uncertain"  # what its config says


def test_a_revision_that_is_not_there_is_a_clear_error(two_versions, elsewhere):
    code = """
import json
from huggingface_hub import snapshot_download
snapshot_download("user/age-gender", local_dir="hf_model")
from hf_model import AgeGenderPredictor
said = []
for repo, revision in (("user/age-gender", "v9.9.9"), ("user/nothing", None)):
    try:
        AgeGenderPredictor.from_pretrained(repo, revision=revision)
    except FileNotFoundError as error:
        said.append(str(error))
print(json.dumps(said))
"""
    said = run(two_versions, elsewhere, code)
    assert len(said) == 2
    assert "v9.9.9" in said[0]
    assert "user/nothing" in said[1]


def test_load_dataset_reads_the_published_parquet(hub, make_utkface, tmp_path):
    from dataset_script.utkface import UTKFace
    from train.curate.build_dataset import write_parquet
    from train.release.contents import dataset_release

    folder = make_utkface({f"{20 + i}_{i % 2}_{i % 5}_20170101{i:09d}.jpg.chip.jpg": i for i in range(40)})
    builder = UTKFace(data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare()
    write_parquet(builder, tmp_path / "utkface")
    api = HfApi(endpoint=hub.url, token="hf_writer")
    push(api, dataset_release("user/utkface", "0.1.0", tmp_path / "utkface"), private=True)
    code = (
        "import json, datasets; loaded = datasets.load_dataset('user/utkface');"
        "print(json.dumps({name: sorted(split['age']) for name, split in loaded.items()}))"
    )
    loaded = run(hub, tmp_path, code, HF_TOKEN="hf_writer")
    assert loaded == {name: sorted(split["age"]) for name, split in builder.as_dataset().items()}


def test_the_space_pulls_the_revision_that_its_front_matter_names(two_versions, root, elsewhere, astronaut, predictor):
    from gradio_client import Client, handle_file

    from tests.support import running_space

    files = space_release("user/space", "0.2.0", REPO, "v0.2.0", root / "space").files
    shutil.copytree(root / "space", elsewhere / "space", ignore=shutil.ignore_patterns("__pycache__"))
    (elsewhere / "space" / "README.md").write_bytes(files["README.md"])
    photo = handle_file(str(elsewhere / "astronaut.png"))
    (expected,) = predictor(astronaut)
    # The second start finds the cache filled and no Hub.
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):
        with running_space(elsewhere, environment(two_versions, elsewhere, **more)) as url:
            _, faces = Client(url, verbose=False).predict(photo, api_name="/predict")
        assert faces[0]["age"] == pytest.approx(expected.age, abs=0.3)
        assert faces[0]["gender"] == "uncertain"  # v0.2.0, not the local folder


def test_the_committed_state_can_be_published_by_the_command(root, tmp_path, astronaut):
    """All checks of a real release, on a Hub of its own, with the words that a person reads."""
    config = json.loads((root / "hf_model" / "config.json").read_text(encoding="utf-8"))
    with HubServer() as hub:
        command = [
            sys.executable,
            "-m",
            "train.release.publish",
            "model",
            "--repo",
            "user/real",
            "--version",
            config["model_version"],
        ]
        values = environment(hub, tmp_path, HF_TOKEN="hf_writer", HF_HUB_DISABLE_XET="1")
        for expected in ("Published model user/real", "Nothing to do"):
            result = subprocess.run(command, cwd=root, env=values, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr[-2000:]
            assert expected in result.stdout
        files = hub.files("model", "user/real", f"v{config['model_version']}")
    assert {"README.md", "config.json", "model.safetensors", "metrics.json", "predictor.py"} <= set(files)
    card = files["README.md"].decode()
    assert 'snapshot_download("user/real"' in card
    assert files["model.safetensors"] == (root / "hf_model" / "model.safetensors").read_bytes()
    # Pulled, it answers with what its requirements.txt names: nothing is built, and the weights are not fetched.
    wanted = {line.partition(">=")[0] for line in files["requirements.txt"].decode().split()}
    assert not wanted & {"mtcnn", "onnx", "lz4", "joblib", "tensorflow", "keras", "torch"}
    for name, content in files.items():
        if not name.endswith("model.safetensors"):
            (tmp_path / "hf_model" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "hf_model" / name).write_bytes(content)
    astronaut.save(tmp_path / "astronaut.png")
    values = environment(hub, tmp_path, HF_HUB_OFFLINE="1")
    age, engine = last_json(run_script(WITH_LITTLE, folder=tmp_path, environment=values))
    assert 20 < age < 45
    assert engine.startswith("openvino")
