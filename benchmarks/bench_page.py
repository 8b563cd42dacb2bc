"""How soon the page answers, in a real browser: `python -m benchmarks.bench_page` (wants chromium and the extra e2e).

A slider of the tab "Poke it" moved many times, and a camera that shows the astronaut moving in the tab "Live": seconds
from the move, or from the frame's sending, until the new answer stands on the page, medians and 95th percentiles, also
as multiples of one forward pass of the network on the same engine, measured in the same run. Written to
``benchmarks/page.json``.
"""

import argparse
import io
import os
import pathlib
import re
import shutil
import statistics
import tempfile
import time

import numpy as np
import PIL.Image

from benchmarks.common import write_report
from tests.support import running_space

# And which way they can move at first.
SLIDERS = {"blur": 1, "brightness": 1, "jpeg": -1, "tilt": 1, "cover_eyes": 1, "pixels": -1}
ANSWER = "[...document.querySelectorAll('#poked .maps, #poked .chart')].map(part => part.outerHTML).join('')"

# In the page: when requests that may carry a frame were sent, and when the answer to a frame came, in seconds.
WATCH = """
window.sent = []; window.shown = [];
const fetched = window.fetch;
window.fetch = (...given) => {
  const address = String(given[0]?.url ?? given[0]);
  if (/\\/stream\\/|\\/queue\\/join/.test(address)) window.sent.push(performance.now() / 1000);
  return fetched(...given);
};
let last = null;
new MutationObserver(() => {
  const now = document.querySelector("#live [data-frame]")?.dataset.frame;
  if (now && now !== last) { last = now; window.shown.push(performance.now() / 1000); }
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


def forward_pass(repeats: int = 15) -> float:
    """Seconds of one face through the network, on the page's engine."""
    from hf_model import AgeGenderPredictor

    predictor = AgeGenderPredictor.from_pretrained("hf_model", engine="auto")
    batch = np.zeros((1, predictor.size, predictor.size, 3), np.uint8)
    taken = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        predictor.forward(batch)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:])


def camera_file(folder: pathlib.Path) -> pathlib.Path:
    """A video of the astronaut moving, as Chromium's fake camera plays it."""
    import skimage.data

    astronaut = PIL.Image.fromarray(skimage.data.astronaut())
    path = folder / "camera.mjpeg"
    with path.open("wb") as file:
        for step in range(60):
            left, buffer = 30 + abs(step - 30), io.BytesIO()
            astronaut.crop((left, 0, left + 400, 300)).resize((640, 480)).save(buffer, "JPEG", quality=92)
            file.write(buffer.getvalue())
    return path


def poked(page, moves: int) -> list[float]:
    """Seconds from a slider's move to its answer on the page."""
    page.get_by_role("tab", name="Poke it").click()
    page.locator("#fragile").get_by_text("Most fragile").wait_for(timeout=60_000)
    page.get_by_role("button", name="More: sliders").click()
    page.locator("#poke-blur input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#poked .chart").first.wait_for(timeout=60_000)
    taken = []
    for move in range(moves):
        name, way = list(SLIDERS.items())[move % len(SLIDERS)]
        way *= -1 if move // len(SLIDERS) % 2 else 1
        before = page.evaluate(ANSWER)
        page.locator(f"#poke-{name} input[type=range]").focus()
        start = time.perf_counter()
        page.keyboard.press("ArrowRight" if way > 0 else "ArrowLeft")
        page.wait_for_function(
            f"before => ({ANSWER}).includes('chart') && ({ANSWER}) !== before", arg=before, polling=10, timeout=20_000
        )
        taken.append(time.perf_counter() - start)
        page.wait_for_timeout(400)
    return taken


def lived(page, seconds: float) -> tuple[list[float], set[str], list[int]]:
    """Seconds from a frame's sending to its answer in the live tab, the faces' numbers, and the ages told."""
    page.get_by_role("tab", name="Live").click()
    page.locator("#camera .consent input").check()
    page.locator("#live-start").click()
    page.locator("#live").get_by_text("Face 1").first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)
    begun = page.evaluate("performance.now() / 1000")
    numbers, ages, end = set(), [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        text = page.locator("#live").inner_text()
        numbers |= set(re.findall(r"Face (\d+)", text))
        ages += [int(age) for age in re.findall(r"about\s+(\d+)\s+years", text)]
        page.wait_for_timeout(200)
    sent, shown = (np.array(page.evaluate(f"window.{name}")) for name in ("sent", "shown"))
    answered = [(sent[sent < moment].max(), moment) for moment in shown if moment > begun and (sent < moment).any()]
    return [moment - start for start, moment in dict(answered).items()], numbers, ages


def figures_of(taken: list[float], forward: float) -> dict:
    p95 = float(np.percentile(taken, 95))
    return {
        "n": len(taken),
        "median_s": round(statistics.median(taken), 3),
        "p95_s": round(p95, 3),
        "p95_forward_passes": round(p95 / forward, 1),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_page", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args(argv)
    from playwright.sync_api import sync_playwright

    forward = forward_pass()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = pathlib.Path(name)
        arguments = [
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera_file(folder)}",
        ]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        with running_space(pathlib.Path.cwd(), {**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": name}) as url:
            page = browser.new_context(permissions=["camera"], viewport={"width": 1280, "height": 900}).new_page()
            page.add_init_script(WATCH)
            page.goto(url)
            page.locator("#answer .age").wait_for(timeout=60_000)
            moves = poked(page, args.moves)
            frames, numbers, ages = lived(page, args.seconds)
        browser.close()
    figures = {
        "forward_pass_s": round(forward, 4),
        "poke": figures_of(moves, forward),
        "live": figures_of(frames, forward) | {"numbers": sorted(numbers), "ages": [min(ages), max(ages)]},
    }
    write_report("page", ("gradio", "openvino", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
