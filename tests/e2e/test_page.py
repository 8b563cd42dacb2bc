"""The page's first tab as a visitor uses it, in a real browser; run by `make e2e`."""

import re
import time

import PIL.Image
import pytest
from playwright.sync_api import expect

from tests.e2e.acts import (
    TABS,
    WAIT,
    answered_after,
    choose,
    consent,
    in_view,
    mark,
    open_tab,
    upload,
    violations,
    visit,
)
from tests.support import settle

SIZES = [(1280, 900), (1440, 900), (390, 844)]


@pytest.fixture
def photos(tmp_path, astronaut):
    pair = PIL.Image.new("RGB", (1024, 512))
    pair.paste(astronaut, (0, 0))
    pair.paste(astronaut.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    head = astronaut.crop((150, 0, 300, 150))
    crowd = PIL.Image.new("RGB", (1240, 780), "gray")
    for place in range(40):
        crowd.paste(head, (5 + 155 * (place % 8), 5 + 155 * (place // 8)))
    pictures = {"one": astronaut, "two": pair, "crowd": crowd, "none": PIL.Image.new("RGB", (300, 200), "gray")}
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
    (tmp_path / "broken.jpg").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "large.jpg").write_bytes(bytes(60_000_000))
    PIL.Image.new("1", (8000, 8000)).save(tmp_path / "huge.png")
    return tmp_path


@pytest.mark.parametrize("size", SIZES)
def test_first_sight_is_an_answer(browser, space, screenshot, size):
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    visit(page, space[0])
    assert in_view(page, "#answer .age")
    assert in_view(page, "#answer .range")
    assert page.locator("#shown img").count() == 1
    expect(page.get_by_role("button", name="Estimate")).to_have_count(0)
    screenshot(page, f"first_{size[0]}")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_after_an_upload_the_answer_is_in_view(browser, space, photos, screenshot, size, scheme):
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    visit(page, space[0], scheme)
    upload(page, photos / "one.png")
    settle(page)
    page.wait_for_timeout(300)
    for part in (".age", ".range", ".said", ".bar"):
        assert in_view(page, f"#answer {part}"), part
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.screenshot(path=f"screenshots/uploaded_{size[0]}_{scheme}.png")
    screenshot(page, f"uploaded_{size[0]}_{scheme}_whole")
    page.close()


def test_a_photo_gives_one_boxed_face_with_its_answer(page, photos):
    upload(page, photos / "one.png")
    words = page.locator("#answer")
    expect(words).to_contain_text(re.compile(r"about\s+\d+\s+years"))
    expect(words).to_contain_text(re.compile(r"lies between \d+ and \d+"))
    expect(words).to_contain_text(re.compile("perceived as|uncertain"))
    expect(words).to_contain_text(re.compile(r"was [\d.]+ years on average"))
    expect(words).not_to_contain_text("Face 1")
    expect(page.locator("#shown img")).to_be_visible()
    expect(words.locator("img.crop")).to_have_count(1)


def test_nothing_leaves_the_browser_before_the_tick(page, photos):
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    before = mark(page)
    choose(page, photos / "one.png")
    expect(page.locator("#told")).to_contain_text("waits in this browser")
    page.wait_for_timeout(1000)
    assert not [url for url in sent if "upload" in url or "queue" in url]
    assert mark(page) == before
    answered_after(page, lambda: consent(page))
    answered_after(page, lambda: choose(page, photos / "two.png"))  # asked once


def test_a_photo_may_be_dropped_anywhere_or_pasted(page, photos):
    consent(page)
    for kind in ("drop", "paste"):
        give = """async ([kind, data]) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const files = new DataTransfer();
          files.items.add(new File([bytes], "a.png", { type: "image/png" }));
          const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: files, bubbles: true });
          document.body.dispatchEvent(event);
        }"""
        import base64

        data = base64.b64encode((photos / "one.png").read_bytes()).decode()
        answered_after(page, lambda give=give, kind=kind, data=data: page.evaluate(give, [kind, data]))
        expect(page.locator("#answer .age")).to_be_visible()


def test_of_two_faces_the_clearest_is_shown_and_the_switch_shows_both(page, photos, screenshot):
    upload(page, photos / "two.png")
    words = page.locator("#answer")
    expect(words).to_contain_text("2 faces were found")
    expect(words).not_to_contain_text("Face 2")
    answered_after(page, lambda: page.get_by_label("Show all faces").check())
    expect(words).to_contain_text("Face 2")
    screenshot(page, "two_faces")


def test_forty_faces_are_answered(page, photos, screenshot):
    page.get_by_label("Show all faces").check()
    upload(page, photos / "crowd.png")
    expect(page.locator("#answer section.face")).to_have_count(40, timeout=WAIT)
    screenshot(page, "forty_faces")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("none.png", "No face was found"), ("broken.jpg", "cannot be used"), ("huge.png", "megapixels")],
)
def test_what_cannot_be_answered_is_a_helpful_sentence(page, photos, screenshot, name, sentence):
    upload(page, photos / name)
    words = page.locator("#answer")
    expect(words).to_contain_text(sentence, timeout=WAIT)
    expect(page.locator("#told")).to_have_text("")
    assert page.locator(".toast-wrap .toast-body").count() == 0
    assert "Traceback" not in page.content()
    screenshot(page, f"sentence_{name.split('.')[0]}")
    upload(page, photos / "one.png")
    expect(words.locator(".age")).to_be_visible(timeout=WAIT)


@pytest.mark.parametrize(("name", "sentence"), [("notes.txt", "is not a picture"), ("large.jpg", "larger than 20 MB")])
def test_what_need_not_be_sent_is_refused_in_the_browser(page, photos, screenshot, name, sentence):
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    consent(page)
    choose(page, photos / name)
    expect(page.locator("#told")).to_contain_text(sentence)
    page.wait_for_timeout(500)
    assert not [url for url in sent if "upload" in url]
    assert page.locator(".toast-wrap .toast-body").count() == 0
    screenshot(page, f"refused_{name.split('.')[0]}")


def test_a_photo_chosen_while_an_answer_is_on_its_way_gets_its_own(page, photos):
    consent(page)
    held = []
    page.route("**/queue/join**", lambda route: held.append(route), times=1)
    choose(page, photos / "none.png")
    end = time.monotonic() + 30
    while not held and time.monotonic() < end:
        page.wait_for_timeout(50)
    choose(page, photos / "one.png")
    page.wait_for_timeout(1500)  # so that the event of the second meets the one that is held
    held[0].continue_()
    page.wait_for_function("!document.querySelector('#answer .note')", timeout=WAIT)
    expect(page.locator("#shown img")).to_have_attribute("alt", re.compile("years"), timeout=WAIT)


def test_every_example_answers_with_one_click_and_the_poor_one_is_warned_of(page):
    for number in (1, 2, 0):
        answered_after(page, lambda number=number: page.locator(f"#example-{number}").click())
        warned = page.locator("#answer .alert").count()
        assert warned >= 1 if number == 2 else warned == 0


def test_thumbnails_outlive_the_cache(page, space):
    """Files live for 6 seconds here; Gradio's own copies of thumbnails would be gone."""
    page.wait_for_timeout(15_000)
    page.reload()
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    for number in range(3):
        width = f"document.querySelector('#example-{number} img').naturalWidth"
        page.wait_for_function(f"{width} > 0", timeout=10_000)


def test_a_forgotten_photo_is_a_sentence(page, photos):
    upload(page, photos / "one.png")
    page.wait_for_timeout(20_000)
    answered_after(page, lambda: page.get_by_label("Show all faces").check())
    expect(page.locator("#answer")).to_contain_text("was forgotten after")


def test_guess_first_hides_the_answer_until_an_age_is_typed(page, photos, screenshot):
    page.get_by_label("Let me guess first").check()
    words = page.locator("#answer")
    expect(words).to_contain_text("waits for your guess", timeout=WAIT)
    upload(page, photos / "one.png")
    expect(words).to_contain_text("waits for your guess")
    expect(words.locator(".age")).to_have_count(0)
    page.locator("#guess-box input[type=number]").fill("52")
    page.locator("#reveal").click()
    expect(page.locator("#compared")).to_contain_text(
        re.compile(r"You: 52\. The model: about \d+.*\d+% of the time"), timeout=WAIT
    )
    expect(words.locator(".age")).to_be_visible()
    screenshot(page, "guessed")
    page.get_by_label("I know the true age").check()
    page.locator("#reveal").click()
    expect(page.locator("#compared")).to_contain_text(
        re.compile(r"off by \d+ years\. For \d+% of test faces"), timeout=WAIT
    )


def test_limits_bias_and_figures_are_in_about(page, screenshot):
    open_tab(page, "About")
    for heading in ("Limitations", "Bias", "Out-of-scope use", "Licence", "Citation"):
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.get_by_role("rowheader", name=re.compile("white"))).to_be_visible()
    screenshot(page, "about")


def test_the_keyboard_alone_reaches_an_answer(browser, space):
    page = browser.new_page()
    visit(page, space[0])
    expect(page.locator("#example-1")).to_be_visible()  # all is laid out before the first key
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate("document.activeElement.id || document.activeElement.getAttribute('aria-label')")
        reached.add(here)
        if here == "example-1":
            break
    assert {
        "own-choose",
        "own-camera",
        "I may use this photo and won't use the result to decide anything about anyone",
        "example-1",
    } <= reached
    answered_after(page, lambda: page.keyboard.press("Enter"))
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation_in_any_tab(browser, space, photos, screenshot, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    visit(page, space[0], scheme)
    for name in TABS:
        open_tab(page, name)
        if name == "Poke it":
            page.locator("#fragile").wait_for(timeout=WAIT)
        settle(page)
        page.wait_for_timeout(300)
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(page, f"tab_{name.split()[0].lower()}_{width}_{scheme}")
    open_tab(page, "Photo")
    answered_after(page, lambda: page.locator("#example-2").click())
    page.get_by_role("button", name="Why: where").click()
    page.locator("#why img").first.wait_for(timeout=WAIT)
    page.get_by_label("Let me guess first").check()
    expect(page.locator("#answer")).to_contain_text("waits for your guess", timeout=WAIT)
    settle(page)
    assert violations(page) == []
    page.close()


def test_no_photo_is_kept(page, photos, space):
    """Uploads are gone soon after their lifetime of 6 seconds."""
    upload(page, photos / "one.png")

    def kept():
        return [path for path in space[1].rglob("*") if path.is_file()]

    assert kept()
    end = time.monotonic() + 60
    while kept() and time.monotonic() < end:
        time.sleep(1)
    assert kept() == []
