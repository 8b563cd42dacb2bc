"""The static page: its JavaScript beside the Python in Node, and the page as a visitor uses it in Chromium."""

import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import expect

from tests.e2e.acts import ALL_DARK, LATE_CAMERA, WAIT, violations

HERE = pathlib.Path(__file__).parent


def test_every_step_is_pythons_in_node(built, cases):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    environment = {**os.environ, "PAGE": str(built[0]), "CASES": str(cases)}
    command = ["node", "--test", str(HERE / "steps.test.mjs")]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    failed = [line for line in told.stdout.splitlines() if re.search(r"not ok|error:|message", line)]
    assert told.returncode == 0, "\n".join(failed[:60]) + told.stderr[-2000:]


@pytest.fixture
def page(browser, served):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.errors, opened.asked = [], []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    context.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(served)
    expect(opened.locator("#version")).to_contain_text("version")  # its script listens
    yield opened
    context.close()
    assert not opened.errors


def choose(page, path) -> None:
    page.locator("#file").set_input_files(str(path))


def faces(page) -> list[dict]:
    """The ages told on the page, in order."""
    return [int(age) for age in re.findall(r"about\s+(\d+)\s+years", page.locator("#answer").inner_text())]


def test_a_photo_is_answered_and_nothing_is_sent_anywhere(page, served, astronaut, tmp_path, screenshot):
    astronaut.save(tmp_path / "one.png")
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    expect(page.locator("#answer .range")).to_contain_text(re.compile(r"lies between \d+ and \d+"))
    expect(page.locator("#answer .chart")).to_be_visible()
    assert page.asked
    assert all(url.startswith((served, "blob:", "data:")) for url in page.asked)
    screenshot(page, "browser_photo", settled=False)


def test_its_answers_are_those_of_python_in_chromium(page, cases, tmp_path):
    """The forty pictures as PNG files through the whole page."""
    told = json.loads((cases / "cases.json").read_text())
    for one in told:
        pixels = np.frombuffer((cases / f"{one['name']}.rgb").read_bytes(), np.uint8)
        PIL.Image.fromarray(pixels.reshape(one["height"], one["width"], 3)).save(tmp_path / f"{one['name']}.png")
        page.evaluate("document.querySelector('#answer').replaceChildren()")
        choose(page, tmp_path / f"{one['name']}.png")
        expect(page.locator("#answer > *").first).to_be_attached(timeout=WAIT)
        found = faces(page)
        assert len(found) == len(one["faces"]), one["name"]
        for age, face in zip(sorted(found), sorted(one["faces"], key=lambda face: face["age"]), strict=True):
            assert abs(age - face["age"]) <= 0.51, one["name"]  # the page's rounding


def test_it_works_offline_after_one_visit(page, astronaut, tmp_path):
    astronaut.save(tmp_path / "one.png")
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    page.context.set_offline(True)
    page.reload()
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    page.context.set_offline(False)


def test_with_full_storage_it_answers_and_shows_what_the_server_has(browser, served, astronaut, tmp_path):
    """Nothing can be kept then, and nothing that was kept before stands in the way."""
    astronaut.save(tmp_path / "one.png")
    context = browser.new_context()
    page = context.new_page()
    control = context.new_cdp_session(page)
    control.send("Storage.overrideQuotaForOrigin", {"origin": served, "quotaSize": 1})
    for _ in range(2):
        page.goto(served)
        choose(page, tmp_path / "one.png")
        expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    assert page.evaluate("navigator.storage.estimate().then(({ usage }) => usage)") < 1_000_000
    context.close()


def test_a_new_version_replaces_the_one_that_is_kept(browser, built, tmp_path):
    """The kept page is the whole of one version, and is only shown without a network."""
    from train.release.browser_server import serve

    folder = tmp_path / "page"
    shutil.copytree(built[0], folder)
    context = browser.new_context()
    page = context.new_page()
    with serve(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}")
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        for name, old, new in (
            ("index.html", "<h1>Age", "<h1>NEW: Age"),
            ("shell.js", '"version": "', '"version": "new-'),
        ):
            text = (folder / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace(old, new), encoding="utf-8")
        page.reload()
        expect(page.locator("h1")).to_contain_text("NEW:")
        for _ in range(60):  # the old one goes when the new one is whole
            shells = [name for name in page.evaluate("caches.keys()") if "shell" in name]
            if len(shells) == 1 and "-new-" in shells[0]:
                break
            page.wait_for_timeout(500)
        context.set_offline(True)
        page.reload()
        expect(page.locator("h1")).to_contain_text("NEW:")
        server.shutdown()
    context.close()


def test_over_http_on_another_host_it_asks_for_https(launch, served, astronaut, tmp_path):
    astronaut.save(tmp_path / "one.png")
    browser = launch("--host-resolver-rules=MAP page.test 127.0.0.1")
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(served.replace("127.0.0.1", "page.test"))
    expect(page.locator("#told")).to_contain_text("This page needs https")
    choose(page, tmp_path / "one.png")
    expect(page.locator("#told")).to_contain_text("This page needs https")
    assert errors == []
    browser.close()


def test_the_model_is_fetched_once_checked_and_deleted_by_one_button(page, astronaut, tmp_path):
    astronaut.save(tmp_path / "one.png")
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    first = [url for url in page.asked if "network.onnx" in url]
    page.reload()
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    assert [url for url in page.asked if "network.onnx" in url] == first
    page.get_by_role("tab", name="Measured limits").click()
    page.locator("#forget").click()
    for _ in range(60):
        if not page.evaluate("caches.keys()"):
            break
        page.wait_for_timeout(200)
    assert page.evaluate("caches.keys()") == []


@pytest.mark.parametrize("how", ["cut off", "changed", "missing"])
def test_a_download_that_fails_is_a_sentence(browser, served, built, how):
    whole = (built[0] / "model" / "output.onnx").read_bytes()
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    answers = {
        "cut off": {"body": whole[:1000]},
        "changed": {"body": b"x" + whole[1:]},
        "missing": {"status": 404, "body": b""},
    }
    context.route("**/output.onnx*", lambda route: route.fulfill(**answers[how]))
    page.goto(served)
    expect(page.locator("#told")).to_contain_text(
        re.compile("cut off or changed|could not be downloaded"), timeout=WAIT
    )
    context.close()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("notes.txt", "is not a picture"),
        ("broken.jpg", "cannot read this file as a picture"),
        ("a.heic", "cannot read HEIC"),
        ("large.jpg", "larger than 20 MB"),
        ("huge.png", "more than 50 megapixels"),
        ("none.png", "No face was found"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(page, tmp_path, name, sentence, screenshot):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.jpg").write_text("hello")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (tmp_path / "large.jpg").write_bytes(bytes(21_000_000))
    if name == "huge.png":
        PIL.Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    PIL.Image.new("RGB", (300, 200), "gray").save(tmp_path / "none.png")
    choose(page, tmp_path / name)
    expect(page.locator("main")).to_contain_text(sentence, timeout=WAIT)
    screenshot(page, f"browser_{name.split('.')[0]}", settled=False)


def test_a_browser_without_simd_is_told(browser, served):
    page = browser.new_page()
    page.add_init_script("WebAssembly.validate = () => false;")
    page.goto(served)
    expect(page.locator("#told")).to_contain_text("lacks WebAssembly SIMD")
    page.close()


def test_a_photo_is_turned_as_its_exif_says(page, astronaut, tmp_path):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    astronaut.transpose(PIL.Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif, quality=95)
    (tmp_path / "turned.jpg").write_bytes(buffer.getvalue())
    choose(page, tmp_path / "turned.jpg")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    assert "was turned by" not in page.locator("#answer").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(browser, served, astronaut, tmp_path, screenshot, scheme, width):
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(served)
    pair = PIL.Image.new("RGB", (1024, 512))
    pair.paste(astronaut, (0, 0))
    pair.paste(astronaut, (512, 0))
    pair.save(tmp_path / "two.png")
    choose(page, tmp_path / "two.png")
    expect(page.locator("#answer .age").first).to_be_visible(timeout=WAIT)
    for name in ("Photo", "Live", "Measured limits"):
        page.get_by_role("tab", name=name).click()
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(page, f"browser_{name.split()[0].lower()}_{width}_{scheme}", settled=False)
    page.close()


def test_the_keyboard_alone_reaches_everything(page):
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"tab-of-photo", "choose", "all"} <= reached
    page.locator("#tab-of-photo").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#start")).to_be_visible()


def test_the_camera_is_followed_and_a_refusal_is_a_sentence(launch, served, camera, screenshot):
    running = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    )
    page = running.new_context(permissions=["camera"], viewport={"width": 390, "height": 844}).new_page()
    page.goto(served)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#live .age")).to_be_visible(timeout=WAIT)
    page.wait_for_timeout(3000)
    expect(page.locator("#live")).to_contain_text("Face 1")
    expect(page.locator("#stage rect")).to_have_count(1)
    screenshot(page, "browser_camera", settled=False)
    running.close()
    running = launch("--deny-permission-prompts", "--use-fake-device-for-media-stream")
    page = running.new_page()
    page.goto(served)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#live-told")).to_contain_text("Allow it next to the address bar", timeout=WAIT)
    running.close()


def test_a_camera_that_is_allowed_too_late_and_one_of_a_forgotten_model_are_switched_off(launch, served):
    running = launch("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    page = running.new_context(permissions=["camera"]).new_page()
    page.add_init_script(LATE_CAMERA)
    page.goto(served)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start camera").click()
    page.get_by_role("tab", name="Measured limits").click()
    page.evaluate("allow()")
    page.wait_for_function(ALL_DARK)
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("#start")).to_be_visible()
    expect(page.locator("#live-told")).to_have_text("")
    page.get_by_role("button", name="Start camera").click()
    page.evaluate("allow()")
    expect(page.locator("#stop")).to_be_visible(timeout=WAIT)
    page.evaluate("document.querySelector('#forget').click()")
    page.wait_for_function(f"tracks.length === 2 && {ALL_DARK}")
    page.wait_for_timeout(2000)  # what was being loaded is not kept after all
    assert page.evaluate("caches.keys()") == []
    running.close()


def test_a_new_version_replaces_the_old_one_at_the_next_load(browser, served, astronaut, tmp_path):
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.goto(served)
    astronaut.save(tmp_path / "one.png")
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    (before,) = page.evaluate("caches.keys()")

    def newer(route):
        constants = route.fetch().json()
        route.fulfill(json=constants | {"version": "9.9.9"})

    context.route("**/constants.json", newer)
    page.reload()
    expect(page.locator("#version")).to_contain_text("9.9.9")
    choose(page, tmp_path / "one.png")
    expect(page.locator("#answer .age")).to_be_visible(timeout=WAIT)
    (after,) = page.evaluate("caches.keys()")
    assert "9.9.9" in after
    assert after != before
    context.close()
