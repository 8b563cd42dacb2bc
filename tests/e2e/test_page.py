"""The page as a visitor uses it, in a real browser; run by `make e2e`."""

import re
import time

import PIL.Image
import pytest
from playwright.sync_api import expect

from tests.support import settle

WAIT = 60_000


def upload(page, path):
    page.locator("#photo input[type=file]").first.set_input_files(str(path))


@pytest.fixture
def photos(tmp_path, astronaut):
    pair = PIL.Image.new("RGB", (1024, 512))
    pair.paste(astronaut, (0, 0))
    pair.paste(astronaut.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    pictures = {"one": astronaut, "two": pair, "none": PIL.Image.new("RGB", (300, 200), "gray")}
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_text("not a picture")
    PIL.Image.new("1", (8000, 8000)).save(tmp_path / "huge.png")
    return tmp_path


def test_the_disclaimer_comes_first(browser, space, screenshot):
    page = browser.new_page()
    page.goto(space[0])
    expect(page.get_by_role("heading", name="Before you start")).to_be_visible(timeout=WAIT)
    expect(page.locator("#photo")).not_to_be_visible()
    screenshot(page, "disclaimer")
    page.close()


def test_a_photo_gives_one_boxed_face_with_its_answer(page, photos, screenshot):
    upload(page, photos / "one.png")
    words = page.locator("#words")
    expect(words).to_contain_text("Face 1", timeout=WAIT)
    expect(words).not_to_contain_text("Face 2")
    expect(words).to_contain_text(re.compile(r"about \d+ years"))
    expect(words).to_contain_text(re.compile("perceived as|uncertain"))
    expect(words).to_contain_text(re.compile(r"off by [\d.]+ years on average"))
    expect(page.locator("#annotated img")).to_be_visible()
    screenshot(page, "one_face")


def test_of_two_faces_the_most_confident_is_shown_and_the_switch_shows_both(page, photos, screenshot):
    upload(page, photos / "two.png")
    words = page.locator("#words")
    expect(words).to_contain_text("2 faces were found", timeout=WAIT)
    expect(words).not_to_contain_text("Face 2")
    page.get_by_label("All faces").check()
    expect(words).to_contain_text("Face 2", timeout=WAIT)
    screenshot(page, "two_faces")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("none.png", "No face was found"), ("broken.jpg", "cannot be used"), ("huge.png", "megapixels")],
)
def test_what_cannot_be_answered_is_a_helpful_sentence(page, photos, screenshot, name, sentence):
    upload(page, photos / name)
    expect(page.locator("#words")).to_contain_text(sentence, timeout=WAIT)
    assert "Traceback" not in page.content()
    screenshot(page, f"sentence_{name.split('.')[0]}")
    upload_again = page.locator("#photo button[aria-label*='lear'], #photo button[aria-label*='emove']").first
    if upload_again.is_visible():
        upload_again.click()
    upload(page, photos / "one.png")
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)


def test_a_photo_chosen_while_an_answer_is_on_its_way_gets_its_own(page, photos):
    upload(page, photos / "none.png")
    words = page.locator("#words")
    expect(words).to_contain_text("No face was found", timeout=WAIT)
    held = []
    page.route("**/queue/join**", lambda route: held.append(route), times=1)
    page.locator("#photo button[aria-label*='lear'], #photo button[aria-label*='emove']").first.click()
    end = time.monotonic() + 30
    while not held and time.monotonic() < end:
        page.wait_for_timeout(50)
    upload(page, photos / "one.png")
    expect(page.locator("#photo img")).to_be_visible(timeout=WAIT)
    page.wait_for_timeout(500)  # so that the event of the upload meets the one that is held
    held[0].continue_()
    expect(words).to_contain_text("Face 1", timeout=WAIT)


def test_the_example_answers_with_one_click(page):
    page.locator("#example").click()
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)


def test_limits_bias_and_figures_are_on_the_page(page):
    for heading in ("Limitations", "Bias", "Out-of-scope use"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    page.get_by_role("button", name="Measured errors by group").click()
    expect(page.get_by_role("cell", name="race white")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser, space, photos, screenshot, scheme):
    page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.goto(f"{space[0]}?__theme={scheme}")
    page.locator("#accept").click(timeout=WAIT)
    upload(page, photos / "one.png")
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    screenshot(page, f"phone_{scheme}")
    page.close()


def test_the_keyboard_alone_reaches_the_answer(browser, space):
    page = browser.new_page()
    page.goto(space[0])
    page.locator("#accept").wait_for(timeout=WAIT)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "accept":
            break
    page.keyboard.press("Enter")
    page.locator("#run").wait_for(state="visible", timeout=WAIT)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('[id]')?.id"))
    assert "run" in reached
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_accessibility_violation(browser, space, photos, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{space[0]}?__theme={scheme}")
    page.locator("#accept").wait_for(timeout=WAIT)
    settle(page)
    states = [Axe().run(page)]
    page.locator("#accept").click()
    upload(page, photos / "one.png")
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)
    settle(page)
    states.append(Axe().run(page))
    serious = [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for state in states
        for violation in state.response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
    page.close()


def test_no_photo_is_kept(page, photos, space):
    """Uploads and answers are gone soon after their lifetime of 6 seconds."""
    upload(page, photos / "one.png")
    expect(page.locator("#words")).to_contain_text("Face 1", timeout=WAIT)

    def kept():
        return [path for path in space[1].rglob("*") if path.is_file()]

    assert kept()
    end = time.monotonic() + 60
    while kept() and time.monotonic() < end:
        time.sleep(1)
    assert kept() == []
