import os

import pytest

from tests.support import running_space


@pytest.fixture(scope="session")
def space_url(root, tmp_path_factory):
    """The Space, started as `make demo` does, on a free port, without network or token."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("uploads"))}
    for name in ("MODEL_ID", "HF_TOKEN", "PYTHONPATH"):
        environment.pop(name, None)
    with running_space(root, environment) as url:
        yield url


@pytest.fixture(scope="session")
def fastest(root):
    """The committed model on the engine that the page uses."""
    from hf_model import AgeGenderPredictor

    return AgeGenderPredictor.from_pretrained(root / "hf_model", engine="auto")
