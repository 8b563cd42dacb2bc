"""The README's Python snippets run as they stand; every command that a Markdown file names is there."""

import concurrent.futures
import importlib.util
import os
import re
import subprocess
import sys

import pytest
from huggingface_hub.constants import HF_ASSETS_CACHE

from tests.hub.server import HubServer
from tests.support import jpeg_bytes, published_files


def snippets(text):
    """The Python blocks of a Markdown text with the heading that each stands under."""
    heading = ""
    for match in re.finditer(r"^#+ (?P<heading>[^\n]+)$|^```python\n(?P<code>.*?)^```", text, re.MULTILINE | re.DOTALL):
        if match["heading"]:
            heading = match["heading"]
        else:
            yield heading, match["code"]


@pytest.fixture(scope="module")
def place(root, astronaut, tmp_path_factory):
    """Photos, a made-up UTKFace and a Hub that holds the committed model."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("hf_model", "dataset_script"):
        (folder / name).symlink_to(root / name)
    for name in ("photo", "group", "a", "b"):
        astronaut.save(folder / f"{name}.jpg")
    astronaut.crop((160, 50, 290, 180)).save(folder / "chip.jpg")
    frames = [astronaut.crop((step, 0, step + 400, 400)).resize((300, 300)) for step in (0, 8, 16)]
    frames[0].save(folder / "video.gif", save_all=True, append_images=frames[1:])
    (folder / "photos").mkdir()
    astronaut.save(folder / "photos" / "astronaut.jpg")
    (folder / "UTKFace").mkdir()
    for number in range(40):
        name = f"{20 + number}_{number % 2}_{number % 5}_20170101{number:09d}.jpg.chip.jpg"
        (folder / "UTKFace" / name).write_bytes(jpeg_bytes(number))
    files = published_files(root)
    with HubServer() as hub:
        hub.put("model", "user/age-gender", files, tag="v0.1.0")
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
        environment["HF_ASSETS_CACHE"] = HF_ASSETS_CACHE  # with the graph that other tests exported
        for name in ("HF_TOKEN", "PYTHONPATH", "HF_HUB_OFFLINE"):
            environment.pop(name, None)
        yield folder, environment


def pages(root):
    """The documents with Python that runs as it stands."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def test_the_readme_has_its_snippets(root):
    assert [name for name, _ in snippets((root / "README.md").read_text(encoding="utf-8"))] == [
        "Use it from Python",
        "Use it with transformers",
    ]
    assert len([one for path in pages(root) for one in snippets(path.read_text(encoding="utf-8"))]) >= 6


@pytest.mark.timeout(900)
def test_every_python_snippet_runs(root, place):
    folder, environment = place
    before = ""  # a snippet may go on from the one above it
    every = (one for path in pages(root) for one in snippets(path.read_text(encoding="utf-8")))
    for heading, code in every:
        if "transformers" in code and importlib.util.find_spec("torch") is None:
            continue  # the same call is made by tests/transformers_door
        if "snapshot_download" in code:  # it would write into the checkout through the link
            code = code.replace('local_dir="hf_model"', 'local_dir="pulled/hf_model"')
        if "import" not in code:
            code = before + code
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{heading}:\n{code}\n{result.stderr[-2000:]}"
        before = code


@pytest.fixture(scope="module")
def documents(root):
    """Every Markdown file of the project, by path."""
    folders = ("hf_model", "dataset_script", "train", "space", "benchmarks", "tests", "docs")
    paths = [*root.glob("*.md"), *(path for folder in folders for path in (root / folder).rglob("*.md"))]
    return {path: path.read_text(encoding="utf-8") for path in paths}


def test_every_make_target_named_is_there(root, documents):
    targets = set(re.findall(r"^([a-z][\w-]*(?: [a-z][\w-]*)*):(?!=)", (root / "Makefile").read_text(), re.MULTILINE))
    targets = {target for line in targets for target in line.split()}
    named = 0
    for path, text in documents.items():
        code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in (line for part in code for line in part.splitlines()):
            match = re.match(r"\s*make((?: [a-z][\w-]*\b(?!=))+)", line)
            for target in match[1].split() if match else ():
                named += 1
                assert target in targets, f"{path}: make {target} is no target of the Makefile"
    assert named > 20


@pytest.mark.timeout(600)
def test_every_module_named_as_a_command_answers_help(root, documents):
    named = {name for text in documents.values() for name in re.findall(r"python3? -m ([\w.]+\w)", text)}
    ours = sorted(name for name in named if name.split(".")[0] in ("hf_model", "train", "benchmarks"))
    assert len(ours) > 5

    def answers(name):
        command = [sys.executable, "-m", name, "--help"]
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, result in zip(ours, pool.map(answers, ours), strict=True):
            assert result.returncode == 0, f"python -m {name} --help: {result.stderr[-500:]}"
            assert name in result.stdout, f"python -m {name} --help does not say its name"
