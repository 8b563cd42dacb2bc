"""What the static page is made of: constants from the Python code, and a release that holds all of it."""

import json
import pathlib

import pytest

from train.release import browser, browser_constants
from train.release.contents import browser_release


@pytest.fixture
def words(root):
    return json.loads((root / "space" / "words.json").read_text(encoding="utf-8"))


def test_constants_are_those_of_the_python_code(root, words):
    from hf_model import calibration
    from hf_model.download import read_config
    from hf_model.faces import detector
    from hf_model.network.familiarity import Familiarity
    from hf_model.network.mtcnn import cascade

    told = json.loads(json.dumps(browser_constants.constants_of(root / "hf_model", words)))
    config = read_config(root / "hf_model")
    assert told["config"]["detection"] == config["detection"]
    assert told["config"]["calibration"] == config["calibration"]
    assert told["detector"]["thresholds"] == {"threshold_pnet": 0.6, "threshold_rnet": 0.7, "threshold_onet": 0.8}
    assert told["cascade"]["scale_factor"] == cascade.SCALE_FACTOR
    assert told["detector"]["mirrored"] == detector.MIRRORED
    assert told["calibration"] == {"tail": calibration.TAIL, "oldest": calibration.OLDEST}
    known = Familiarity.load(root / "hf_model")
    assert told["familiarity"]["mean"] * 64 == told["familiarity"]["components"] == known.components.size
    assert told["page"]["words"]["range"] == words["range"]
    assert told["page"]["words"]["looking"] == words["browser"]["looking"]


def test_every_sentence_that_the_page_speaks_is_there(root, words):
    """Names after ``words.`` in the JavaScript."""
    import re

    spoken = set()
    for path in (root / "space" / "browser" / "js").glob("*.js"):
        spoken |= set(re.findall(r"\bwords\.(\w+)", path.read_text(encoding="utf-8")))
    assert spoken
    assert spoken <= words.keys() | words["browser"].keys()


def test_the_page_asks_nobody_else(root):
    page = (root / "space" / "browser" / "index.html").read_text(encoding="utf-8")
    policy = page.split('Content-Security-Policy" content="')[1].split('"')[0]
    for rule in (
        "default-src 'none'",
        "connect-src 'self'",
        "worker-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
    ):
        assert rule in policy
    for path in (root / "space" / "browser").rglob("*"):
        if path.suffix in (".js", ".html", ".css"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text, path
            assert "https://" not in text.replace("over https", ""), path


def test_a_release_names_the_model_that_is_in_it(tmp_path, root, monkeypatch):
    monkeypatch.setattr(browser, "fetch_runtime", lambda out: fake_runtime(out))
    monkeypatch.chdir(root)
    browser.write_page(
        tmp_path / "page", root / "hf_model", root / "space" / "browser", {"repo": "u/m", "revision": "v1.0.0"}
    )
    release = browser_release("u/page", "1.0.0", "u/m", "v1.0.0", tmp_path / "page")
    assert (release.kind, release.sdk, release.tag) == ("space", "static", "v1.0.0")
    card = release.files["README.md"].decode()
    for line in ("sdk: static", "- u/m", "model_revision: v1.0.0"):
        assert line in card
    constants = json.loads(pathlib.Path(release.files["constants.json"]).read_text(encoding="utf-8"))
    assert constants["model"]["repo"] == "u/m"
    assert len(constants["model"]["weights_sha256"]) == 64
    for name, file in constants["files"].items():
        assert release.sha256(file["path"]) == file["sha256"], name
    assert {"index.html", "sw.js", "shell.js", "look.css", "js/page.js"} <= set(release.files)


def fake_runtime(out: pathlib.Path) -> None:
    out.mkdir(parents=True)
    for name in (*browser.RUNTIME_FILES, "LICENSE.txt"):
        (out / name).write_bytes(b"runtime")


def test_a_missing_npm_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"could not be fetched with npm .*Install Node\.js"):
        browser.fetch_runtime(tmp_path / "ort", tmp_path / "npm")
