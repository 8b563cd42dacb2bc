"""A Space and a model repo of two versions, 0.1.0 and this one, either way round."""

import io
import os
import shutil
import subprocess
import tarfile

import pytest

from tests.hub.server import HubServer
from tests.support import running_space

VERSION_010 = "d939c1a"
REPO = "user/age-gender"


@pytest.fixture(scope="module")
def version_010(root, tmp_path_factory):
    """``hf_model/`` and ``space/`` as they were in 0.1.0."""
    command = ["git", "archive", VERSION_010, "hf_model", "space"]
    archive = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip("a shallow clone, without the commit of 0.1.0")
    folder = tmp_path_factory.mktemp("version_010")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def put(hub, folder):
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    hub.put("model", REPO, files, tag="v0")


def ask(hub, space, elsewhere, astronaut):
    """What ``/predict`` says of the astronaut, and all texts of the page, in a process that knows only the Hub."""
    from gradio_client import Client, handle_file

    shutil.copytree(space, elsewhere / "space", ignore=shutil.ignore_patterns("__pycache__"))
    astronaut.save(elsewhere / "astronaut.png")
    values = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(elsewhere / "hf"), "MODEL_ID": REPO}
    for name in ("HF_TOKEN", "PYTHONPATH", "HF_HUB_OFFLINE", "MODEL_REVISION"):
        values.pop(name, None)
    with running_space(elsewhere, values) as url:
        client = Client(url, verbose=False)
        # Both arguments, as clients of 0.1.0 pass them.
        _, faces = client.predict(handle_file(str(elsewhere / "astronaut.png")), False, api_name="/predict")
        texts = " ".join(str(part["props"].get("value")) for part in client.config["components"])
    return faces, texts


def test_the_space_of_010_shows_this_model(root, version_010, tmp_path, astronaut, predictor):
    with HubServer() as hub:
        put(hub, root / "hf_model")
        (face,), _ = ask(hub, version_010 / "space", tmp_path, astronaut)
    (expected,) = predictor(astronaut)
    assert face["age"] == pytest.approx(expected.age, abs=0.01)
    assert face["box"] == expected.box


def test_this_space_shows_the_model_of_010_and_says_what_it_lacks(root, version_010, tmp_path, astronaut):
    with HubServer() as hub:
        put(hub, version_010 / "hf_model")
        (face,), texts = ask(hub, root / "space", tmp_path, astronaut)
    assert 0 < face["age"] < 117
    assert "version 0.1.0, which has no heat maps" in texts


def test_the_space_of_a_gated_model_says_that_it_needs_a_token(root, tmp_path, astronaut):
    from gradio_client.exceptions import AppError

    with HubServer() as hub:
        put(hub, root / "hf_model")
        hub.repos["model", REPO].gated = "auto"
        with pytest.raises(AppError, match=r"gated\. Set the Space's secret HF_TOKEN"):
            ask(hub, root / "space", tmp_path, astronaut)
