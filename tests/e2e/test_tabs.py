"""The tabs that teach, in a real browser: what sliders do, and a camera that shows the astronaut moving."""

import io
import re
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.test_page import WAIT

LOOKS = 10  # seconds before the camera


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


@pytest.fixture
def answered(page):
    """The page after the example was answered."""
    page.locator("#example").click()
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)
    return page


def test_why_shows_two_maps_and_what_they_do_not_show(answered, screenshot):
    why = answered.locator("#why")
    expect(why.locator("img")).to_have_count(2, timeout=WAIT)
    expect(why).to_contain_text("does not show why")
    screenshot(answered, "why")


def test_a_slider_moves_the_answer_and_the_chart(answered, screenshot):
    open_tab(answered, "Poke it")
    expect(answered.locator("#fragile")).to_contain_text("Most fragile change", timeout=WAIT)
    slider = answered.locator("#poke-brightness input[type=range]")
    slider.focus()
    for _ in range(12):
        answered.keyboard.press("ArrowLeft")
    poked = answered.locator("#poked")
    expect(poked).to_contain_text("Brightness", timeout=WAIT)
    expect(poked).not_to_contain_text("+0.0 years, probability of “female” +0 points", timeout=WAIT)
    expect(poked.locator("svg")).to_have_attribute("aria-label", re.compile("Age and probability of female along"))
    screenshot(answered, "poke")
    answered.locator("#poke-reset").click()
    expect(poked).to_contain_text("+0.0 years", timeout=WAIT)


def test_without_a_photo_the_tab_says_what_to_do(page):
    open_tab(page, "Poke it")
    expect(page.locator("#poked")).to_contain_text("Choose a photo")


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious_in_any_tab_and_nothing_is_wider_than_the_screen(browser, space, screenshot, width):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(space[0])
    page.locator("#accept").click(timeout=WAIT)
    page.locator("#example").click()
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)
    for name in ("Estimate", "Poke it", "Live"):
        open_tab(page, name)
        page.wait_for_timeout(1500)
        screenshot(page, f"tab_{name.split()[0].lower()}_{width}")
        found = [
            (v["id"], [node["html"][:200] for node in v["nodes"]])
            for v in Axe().run(page).response["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert found == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.fixture
def camera(astronaut, tmp_path):
    """A video of the astronaut moving, as Chromium's fake camera plays it."""
    video = tmp_path / "camera.mjpeg"
    with video.open("wb") as file:
        for step in range(60):
            left = 30 + abs(step - 30)
            buffer = io.BytesIO()
            astronaut.crop((left, 0, left + 400, 300)).resize((640, 480)).save(buffer, "JPEG", quality=92)
            file.write(buffer.getvalue())
    return video


def test_the_camera_keeps_one_number_and_a_steady_age(launch, space, camera, screenshot):
    running = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    )
    page = running.new_context(permissions=["camera"], viewport={"width": 1280, "height": 900}).new_page()
    page.goto(space[0])
    page.locator("#accept").click(timeout=WAIT)
    open_tab(page, "Live")
    page.get_by_text("Click to Access Webcam").click(timeout=WAIT)
    page.locator("#camera button[aria-label='capture photo']").click(timeout=WAIT)
    live = page.locator("#live")
    expect(live).to_contain_text("Face 1", timeout=WAIT)
    page.wait_for_timeout(3000)  # the mean over frames has settled
    ages, end = [], time.monotonic() + LOOKS
    while time.monotonic() < end:
        text = live.inner_text()
        assert "Face 2" not in text
        ages += [int(age) for age in re.findall(r"Face 1: about (\d+) years", text)]
        page.wait_for_timeout(300)
    faded = page.evaluate(
        "getComputedStyle(document.querySelector('#live img.live').closest('.pending') ?? document.body).opacity"
    )
    screenshot(page, "live", settled=False)  # a stream never settles
    running.close()
    assert faded == "1"
    assert len(ages) > 10
    assert max(ages) - min(ages) <= 3
