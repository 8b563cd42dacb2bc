"""The tabs that teach, in a real browser: maps, what a tap and a slider do, and a camera that shows the astronaut
moving."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.e2e.acts import ALL_DARK, LATE_CAMERA, WAIT, answered_after, in_view, open_tab, visit

LOOKS = 10  # seconds before the camera


def test_why_shows_two_maps_when_it_is_opened_and_what_they_do_not_show(page, screenshot):
    why = page.locator("#why")
    expect(why.locator("img")).to_have_count(0)
    page.get_by_role("button", name="Why: where").click()
    expect(why.locator("img")).to_have_count(2, timeout=WAIT)
    for text in ("older", "younger", "does not show why"):
        expect(why).to_contain_text(text)
    assert page.evaluate("document.querySelector('#why img').getBoundingClientRect().width") >= 200
    screenshot(page, "why")


def test_presets_are_one_tap_each_on_the_first_example(page, screenshot):
    open_tab(page, "Poke it")
    expect(page.locator("#fragile")).to_contain_text("Most fragile", timeout=WAIT)
    chips = page.locator(".chips button")
    assert chips.count() == 11
    for name in ("Mask", "Mirrored"):
        page.get_by_role("button", name=re.compile(f"^{name}")).click()
        after = page.locator("[data-after]:not([hidden])")
        expect(after).to_have_count(1)
        expect(after).to_contain_text(re.compile(r"As it is: about \d+ years"))
        expect(after.locator("img")).to_have_count(2)
        expect(page.locator('.chips button[aria-pressed="true"]')).to_have_count(1)
        assert in_view(page, "[data-after]:not([hidden]) img")
    screenshot(page, "presets")


def test_presets_follow_the_photo(page):
    open_tab(page, "Poke it")
    expect(page.locator("#fragile")).to_be_visible(timeout=WAIT)
    before = page.locator("#presets").inner_html()
    open_tab(page, "Photo")
    answered_after(page, lambda: page.locator("#example-2").click())
    open_tab(page, "Poke it")
    page.wait_for_function(
        "before => document.querySelector('#presets').innerHTML !== before", arg=before, timeout=WAIT
    )
    expect(page.locator("#fragile")).to_be_visible(timeout=WAIT)


def test_a_slider_moves_the_answer_and_the_chart(page, screenshot):
    open_tab(page, "Poke it")
    expect(page.locator("#fragile")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="More: sliders").click()
    slider = page.locator("#poke-brightness input[type=range]")
    slider.focus()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    poked = page.locator("#poked")
    expect(poked).to_contain_text("Brightness", timeout=WAIT)
    expect(poked).not_to_contain_text("+0.0 years, probability of “female” +0 points", timeout=WAIT)
    expect(poked.locator("svg")).to_have_attribute("aria-label", re.compile("Age and probability of female along"))
    screenshot(page, "sliders")
    page.locator("#poke-reset").click()
    expect(poked).to_contain_text("+0.0 years", timeout=WAIT)


@pytest.fixture
def filmed(launch, camera):
    """A browser whose camera shows the astronaut, allowed."""
    running = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    )
    yield running
    running.close()


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_the_camera_keeps_one_number_and_a_steady_age(filmed, space, screenshot, size):
    page = filmed.new_context(permissions=["camera"], viewport={"width": size[0], "height": size[1]}).new_page()
    visit(page, space[0])
    open_tab(page, "Live")
    assert "Record" not in page.locator("#camera").inner_text()
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#live-told")).to_contain_text("tick the box")
    page.locator("#camera .consent input").check()
    live = page.locator("#live")
    expect(live).to_contain_text("Face 1", timeout=WAIT)
    page.wait_for_timeout(3000)  # the mean over frames has settled
    ages, end = [], time.monotonic() + LOOKS
    while time.monotonic() < end:
        text = live.inner_text()
        assert "Face 2" not in text
        ages += [int(age) for age in re.findall(r"about\s+(\d+)\s+years", text)]
        page.wait_for_timeout(300)
    expect(page.locator("#live-boxes rect")).to_have_count(1)
    faded = page.evaluate(
        "getComputedStyle(document.querySelector('#live .age').closest('.pending') ?? document.body).opacity"
    )
    covers = page.evaluate(
        "(() => { const [a, b] = ['#live-stop', '.stage'].map((one) => "
        "document.querySelector(one).getBoundingClientRect());"
        " return a.bottom > b.top && b.bottom > a.top; })()"
    )
    assert in_view(page, "#live .age")
    screenshot(page, f"live_{size[0]}", settled=False)
    page.get_by_role("button", name="Stop camera").click()
    expect(page.locator(".stage")).to_be_hidden()
    assert faded == "1"
    assert not covers
    assert len(ages) > 10
    assert max(ages) - min(ages) <= 3


def test_a_photo_taken_with_the_camera_is_answered(filmed, space, screenshot):
    page = filmed.new_context(permissions=["camera"], viewport={"width": 390, "height": 844}).new_page()
    visit(page, space[0])
    page.locator("#own-camera").click()
    page.locator("#own .consent input").check()
    taken = page.locator("#camera-take")
    expect(taken).to_be_enabled(timeout=WAIT)
    screenshot(page, "camera", settled=False)
    answered_after(page, taken.click)
    expect(page.locator("#answer .age")).to_be_visible()


def test_a_camera_that_is_allowed_too_late_is_switched_off_again(filmed, space):
    page = filmed.new_context(permissions=["camera"]).new_page()
    page.add_init_script(LATE_CAMERA)
    visit(page, space[0])
    page.locator("#own .consent input").check()
    page.locator("#own-camera").click()
    page.locator("#camera-cancel").click()
    page.evaluate("allow()")
    page.wait_for_function(ALL_DARK)
    open_tab(page, "Live")
    page.get_by_role("button", name="Start camera").click()
    open_tab(page, "About")
    page.evaluate("allow()")
    page.wait_for_function(f"tracks.length === 2 && {ALL_DARK}")
    open_tab(page, "Live")
    expect(page.locator("#live-start")).to_be_visible()
    expect(page.locator("#live-told")).to_have_text("")
    page.get_by_role("button", name="Start camera").click()
    page.evaluate("allow()")
    expect(page.locator("#live .age")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Stop camera").click()
    page.wait_for_function(f"tracks.length === 3 && {ALL_DARK}")


def test_a_refused_camera_is_a_sentence_with_what_to_do(launch, space, screenshot):
    running = launch("--deny-permission-prompts", "--use-fake-device-for-media-stream")
    page = running.new_context(viewport={"width": 390, "height": 844}).new_page()
    visit(page, space[0])
    page.locator("#own .consent input").check()
    page.locator("#own-camera").click()
    expect(page.locator("#told")).to_contain_text("Allow it next to the address bar", timeout=WAIT)
    open_tab(page, "Live")
    expect(page.locator("#camera .consent input")).to_be_checked()
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#live-told")).to_contain_text("Allow it next to the address bar", timeout=WAIT)
    screenshot(page, "camera_refused")
    running.close()
