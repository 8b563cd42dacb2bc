"""Hostile uploads over plain HTTP: a sentence or a clean refusal each, and the next visitor is served."""

import json
import pathlib
import subprocess
import sys

import httpx
import pytest

from tests.corpus import make_files


def ask(client, name, data):
    """Uploads a file and asks `/predict`; ("refused", status), ("error", text) or ("complete", answer)."""
    uploaded = client.post("/gradio_api/upload", files={"files": (name, data)})
    if uploaded.status_code != 200:
        return "refused", uploaded.status_code
    file = {"path": uploaded.json()[0], "meta": {"_type": "gradio.FileData"}}
    called = client.post("/gradio_api/call/predict", json={"data": [file, True]})
    if called.status_code != 200:
        return "refused", called.status_code
    answer = client.get(f"/gradio_api/call/predict/{called.json()['event_id']}").text
    event = answer.strip().split("event: ")[-1]
    kind, data = event.split("\ndata: ", 1)
    return kind, json.loads(data)


@pytest.fixture(scope="module")
def client(space):
    with httpx.Client(base_url=space[0], timeout=120) as opened:
        yield opened


def test_every_file_of_the_corpus_is_answered_or_refused_and_the_next_one_served(client, astronaut, tmp_path):
    files = make_files(tmp_path, astronaut.resize((256, 256)))
    good = (tmp_path / "no_name_ending").read_bytes()
    outcomes = {}
    for path in files:
        kind, answer = ask(client, path.name, path.read_bytes())
        assert kind in ("complete", "error", "refused"), (path.name, kind)
        if kind == "refused":
            assert 400 <= answer < 500, (path.name, answer)
        if kind == "error":
            assert "cannot be used" in str(answer), (path.name, answer)
        outcomes[path.name] = kind
    assert outcomes["text.jpg"] == outcomes["zip_bomb.jpg"] == "error"
    assert outcomes["no_name_ending"] == "complete"
    kind, answer = ask(client, "good.jpg", good)
    assert kind == "complete"
    assert len(answer[1]) == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "space/app.py", "../hf_model/config.json"])
def test_files_outside_the_uploads_are_never_served(client, root, path):
    inside = str((root / path).resolve()) if not path.startswith("/") else path
    for wanted in (path, inside):
        assert client.get(f"/gradio_api/file={wanted}").status_code in (403, 404)
        file = {"path": wanted, "meta": {"_type": "gradio.FileData"}}
        called = client.post("/gradio_api/call/predict", json={"data": [file, False]})
        if called.status_code == 200:
            text = client.get(f"/gradio_api/call/predict/{called.json()['event_id']}").text
            assert "event: error" in text
            assert "root:" not in text


def test_a_file_over_the_limit_is_refused(client):
    assert ask(client, "large.jpg", bytes(21_000_000))[0] == "refused"


def test_the_requirements_resolve_by_themselves_without_pytorch_and_tensorflow(root, tmp_path):
    """In a clean environment, as the Hub builds the Space."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    report = tmp_path / "report.json"
    subprocess.run(
        [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--disable-pip-version-check",
            "--report",
            str(report),
            "-r",
            str(pathlib.Path(root) / "space" / "requirements.txt"),
        ],
        check=True,
    )
    names = {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}
    assert {"gradio", "openvino"} <= names
    assert not {"torch", "transformers", "tensorflow", "keras", "mtcnn", "onnx"} & names  # graphs come with the model


def test_the_curl_commands_of_the_readme_work(space, root, astronaut, tmp_path):
    astronaut.save(tmp_path / "photo.jpg")
    readme = (root / "space" / "README.md").read_text(encoding="utf-8")
    script = readme.split("```\n")[-2].replace("https://user-space.hf.space", space[0])
    result = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "event: complete" in result.stdout
    assert '"female_probability"' in result.stdout
