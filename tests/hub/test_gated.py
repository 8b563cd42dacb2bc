"""A Space whose model repo is gated."""

import os
import shutil

import pytest

from tests.hub.server import HubServer
from tests.support import published_files, running_space

REPO = "user/age-gender"


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


def test_the_space_of_a_gated_model_says_that_it_needs_a_token(root, tmp_path, astronaut):
    from gradio_client.exceptions import AppError

    with HubServer() as hub:
        hub.put("model", REPO, published_files(root))
        hub.repos["model", REPO].gated = "auto"
        with pytest.raises(AppError, match=r"gated\. Set the Space's secret HF_TOKEN"):
            ask(hub, root / "space", tmp_path, astronaut)
