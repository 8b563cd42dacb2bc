"""The notebook's cells run, in order, on a model repo of the local Hub; no picture is stored in it."""

import json
import os
import pathlib

import pytest

from tests.hub.server import HubServer
from tests.support import published_files, run_script

RUN = """
import json, sys
import matplotlib
matplotlib.use("Agg")
for number, cell in enumerate(json.load(open(sys.argv[1]))["cells"]):
    if cell["cell_type"] == "code":
        code = "".join(line for line in cell["source"] if not line.startswith("%"))
        exec(compile(code.replace("user/repo", sys.argv[2]), f"cell {number}", "exec"), globals())
"""


@pytest.fixture
def notebook(root) -> pathlib.Path:
    return root / "hf_model" / "notebook.ipynb"


def test_the_notebook_is_small_and_holds_no_output(notebook):
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert notebook.stat().st_size < 20_000
    assert all(not cell.get("outputs") for cell in content["cells"])
    assert content["nbformat"] == 4


@pytest.mark.timeout(300)
def test_its_cells_run_on_the_published_repo(root, notebook, tmp_path):
    pytest.importorskip("openvino", reason="an extra that is not installed")
    pytest.importorskip("matplotlib")
    files = published_files(root)
    with HubServer() as hub:
        hub.put("model", "user/age-gender", files)
        environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        for name in ("HF_TOKEN", "PYTHONPATH", "HF_HUB_OFFLINE"):
            environment.pop(name, None)
        printed = run_script(RUN, notebook, "user/age-gender", folder=tmp_path, environment=environment)
    assert "P(female)" in printed
    assert printed.count("blur ") == 4
