"""What a visitor does on the page, for the tests in a real browser."""

from playwright.sync_api import expect

WAIT = 60_000
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
TABS = ("Photo", "Poke it", "Live", "About")


# The camera comes when the test says so, as where a visitor takes a while to allow it; `tracks` are all that came.
LATE_CAMERA = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.tracks = [];
navigator.mediaDevices.getUserMedia = (...wanted) => new Promise((done) => {
  window.allow = async () => {
    const given = await real(...wanted);
    window.tracks.push(...given.getTracks());
    done(given);
  };
});
"""
ALL_DARK = "tracks.length > 0 && tracks.every(({ readyState }) => readyState === 'ended')"


def visit(page, url: str, scheme: str = "light") -> None:
    """Opens the page and waits for the answer that it opens on."""
    page.goto(f"{url}?__theme={scheme}")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def mark(page) -> str | None:
    """Which answer is shown."""
    return page.evaluate("document.querySelector('#answer [data-answer]')?.dataset.answer ?? null")


def answered_after(page, act) -> None:
    """Does something and waits until another answer is shown."""
    before = mark(page)
    act()
    page.wait_for_function(
        "before => document.querySelector('#answer [data-answer]')?.dataset.answer !== before", arg=before, timeout=WAIT
    )


def choose(page, path) -> None:
    """Chooses a photo from a file."""
    page.locator("#own-file").set_input_files(str(path))


def consent(page) -> None:
    page.locator("#own .consent input").check()


def upload(page, path) -> None:
    """Chooses a photo, agrees where that is asked, and waits for its answer."""

    def act():
        choose(page, path)
        if not page.locator("#own .consent input").is_checked():
            consent(page)

    answered_after(page, act)


def violations(page) -> list:
    """What axe finds against WCAG 2.1 AA."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=WCAG).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


def in_view(page, selector: str) -> bool:
    """Whether an element is within the window as it stands."""
    return page.evaluate(
        "selector => { const { top, bottom } = document.querySelector(selector).getBoundingClientRect();"
        " return top >= 0 && bottom <= innerHeight; }",
        selector,
    )
