import os
import pathlib
import shutil

import pytest

from tests.e2e.acts import visit
from tests.support import running_space, settle

SCREENSHOTS = pathlib.Path(__file__).resolve().parents[2] / "screenshots"


@pytest.fixture(scope="session")
def space(root, tmp_path_factory):
    """The Space on the committed weights: its URL, and the folder of its uploads. Files live for 6 seconds."""
    uploads = tmp_path_factory.mktemp("uploads")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(uploads), "FILE_LIFETIME_SECONDS": "6"}
    for name in ("MODEL_ID", "HF_TOKEN", "PYTHONPATH"):
        environment.pop(name, None)
    with running_space(root, environment) as url:
        yield url, uploads


@pytest.fixture(scope="session")
def launch():
    """Starts Debian's Chromium, headless, with more arguments."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", *arguments]
        )


@pytest.fixture(scope="session")
def browser(launch):
    """A browser for most tests."""
    running = launch()
    yield running
    running.close()


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


@pytest.fixture(scope="session")
def screenshot():
    """Takes a picture of the page into the ignored folder ``screenshots/``."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def take(page, name: str, settled: bool = True):
        if settled:
            settle(page)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return take
