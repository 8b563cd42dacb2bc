import os

import pytest
from playwright.sync_api import expect

from tests.e2e.acts import visit
from tests.support import running_space

expect.set_options(timeout=20_000)  # machines differ five-fold


@pytest.fixture(scope="session")
def space(root, tmp_path_factory):
    """The Space on the committed weights: its URL, and the folder of its uploads. Files live for 6 seconds."""
    uploads = tmp_path_factory.mktemp("uploads")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(uploads), "FILE_LIFETIME_SECONDS": "6"}
    for name in ("MODEL_ID", "HF_TOKEN", "PYTHONPATH"):
        environment.pop(name, None)
    with running_space(root, environment) as url:
        yield url, uploads


@pytest.fixture
def page(browser, space):
    """The page at desktop size, its first answer seen; fails on an error in the page's own script."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    errors = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    visit(opened, space[0])
    yield opened
    opened.close()
    assert not errors
