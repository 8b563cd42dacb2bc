"""Draws the page with the astronaut's answer, for the README and the Space: `python -m benchmarks.picture` (make
picture).

Wants chromium and the extra e2e. Written to ``space/picture.png``.
"""

import io
import os
import pathlib
import shutil
import tempfile

import PIL.Image

from tests.support import running_space, settle

OUT = pathlib.Path("space/picture.png")
SIZE = {"width": 1280, "height": 860}


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": name}
        with running_space(pathlib.Path.cwd(), environment) as url:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(f"{url}?__theme=light")
            page.locator("#answer .age").wait_for(timeout=60_000)
            settle(page)
            shot = page.screenshot()
            browser.close()
    PIL.Image.open(io.BytesIO(shot)).convert("RGB").save(OUT, optimize=True)
    print(f"Wrote {OUT}, {OUT.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
