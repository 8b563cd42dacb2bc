"""The README's Python snippets run as they stand, in a folder that has what they name."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
from huggingface_hub.constants import HF_ASSETS_CACHE

from tests.hub.server import HubServer
from tests.support import jpeg_bytes


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
    (folder / "UTKFace").mkdir()
    for number in range(40):
        name = f"{20 + number}_{number % 2}_{number % 5}_20170101{number:09d}.jpg.chip.jpg"
        (folder / "UTKFace" / name).write_bytes(jpeg_bytes(number))
    files = {path.name: path.read_bytes() for path in (root / "hf_model").iterdir() if path.is_file()}
    with HubServer() as hub:
        hub.put("model", "user/age-gender", files, tag="v0.1.0")
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
        environment["HF_ASSETS_CACHE"] = HF_ASSETS_CACHE  # with the graph that other tests exported
        for name in ("HF_TOKEN", "PYTHONPATH", "HF_HUB_OFFLINE"):
            environment.pop(name, None)
        yield folder, environment


def test_the_readme_has_its_snippets(root):
    found = list(snippets((root / "README.md").read_text(encoding="utf-8")))
    assert len(found) >= 5
    assert {"Use it from Python", "Use it with transformers", "Load UTKFace as a dataset"} <= {
        name for name, _ in found
    }


@pytest.mark.timeout(900)
def test_every_python_snippet_runs(root, place):
    folder, environment = place
    before = ""  # a snippet may go on from the one above it
    for heading, code in snippets((root / "README.md").read_text(encoding="utf-8")):
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
