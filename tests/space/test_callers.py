"""Whoever calls the page: web addresses are refused before anything is fetched, and nothing of a call reaches the
log."""

import io
import json
import tomllib
import urllib.error
import urllib.request

import pytest

from tests.space.test_tools import call
from tests.support import running_space

ADDRESS = "https://example.com/secret-photo.jpg"  # a public host, which Gradio's own guard lets through
FILE = {"meta": {"_type": "gradio.FileData"}}
NAMED = (
    [{"path": ADDRESS, **FILE}],
    [{"path": ADDRESS}],
    [{"path": None, "url": ADDRESS}],
    [{"url": ADDRESS}],
    [ADDRESS],
    [{"path": " HTTPS://example.com/a.jpg", **FILE}],
    [None, {"path": ADDRESS, **FILE}],
    [None, {"deeper": [{"path": ADDRESS, **FILE}]}],
)
ROUTES = (
    "/gradio_api/file={}",
    "/file={}",
    "/gradio_api/file/{}",
    "/gradio_api/proxy={}",
)


def ask(url: str, endpoint: str, data: list) -> str:
    """What an endpoint says to a call."""
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(f"{url}/gradio_api/call/{endpoint}", body, {"Content-Type": "application/json"})
    event = json.load(urllib.request.urlopen(request, timeout=30))["event_id"]
    return urllib.request.urlopen(f"{url}/gradio_api/call/{endpoint}/{event}", timeout=60).read().decode()


def test_nothing_is_fetched_logged_or_reported_for_anyone(root, recorded, astronaut, tmp_path):
    environment, record = recorded
    log = tmp_path / "log.txt"
    with running_space(root, environment, log=log) as url:
        for endpoint in ("predict", "explain", "predict_face", "explain_face"):
            for data in NAMED:
                assert "Web addresses are refused" in ask(url, endpoint, data), (endpoint, data)
        for tool in ("predict_face", "explain_face"):
            failed, text = call(url, tool, photo_base64=ADDRESS)
            assert failed
            assert "Web addresses are refused" in text
        encoded = urllib.request.quote(ADDRESS, safe="")
        for route in ROUTES:
            for address in (ADDRESS, encoded, encoded.replace("%", "%25")):
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(url + route.format(address), timeout=30)
                assert refused.value.code == 403
        for data in (["secret-word"], [4711, 4712], [{"path": "/secret-path", **FILE}]):
            assert "could not be answered" in ask(url, "predict", data), data
        assert "pass one of age, gender" in ask(url, "explain", [None, "secret-word"])
        assert record() == []
    printed = log.read_text(encoding="utf-8")
    for content in ("secret", "4711", "example.com", "Traceback"):
        assert content not in printed, printed


def upload(url: str, name: str, content: bytes) -> str:
    """Where the page keeps an uploaded file."""
    head = f'--edge\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    request = urllib.request.Request(f"{url}/gradio_api/upload", head.encode() + content + b"\r\n--edge--\r\n", headers)
    (path,) = json.load(urllib.request.urlopen(request, timeout=30))
    return path


def test_uploaded_photos_are_answered_and_nobody_else_is_asked(root, recorded, astronaut):
    """An iPhone's format among them, which the page promises."""
    pillow_heif = pytest.importorskip("pillow_heif")
    environment, record = recorded
    photos = {"a.png": io.BytesIO(), "a.heic": io.BytesIO()}
    astronaut.save(photos["a.png"], "PNG")
    pillow_heif.from_pillow(astronaut).save(photos["a.heic"], quality=90)
    with running_space(root, environment) as url:
        for name, file in photos.items():
            path = upload(url, name, file.getvalue())
            own = {"path": path, "url": f"{url}/gradio_api/file={path}", **FILE}
            assert '"female_probability"' in ask(url, "predict", [own, False]), name
            assert urllib.request.urlopen(f"{url}/gradio_api/file={path}", timeout=30).status == 200
        assert record() == []


def test_what_the_page_promises_to_read_is_installed_with_it(root):
    """In the Space, and by `make demo`."""
    assert "HEIC" in (root / "space" / "photo.py").read_text(encoding="utf-8")
    assert "\npillow-heif==" in (root / "space" / "requirements.txt").read_text(encoding="utf-8")
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert any(one.startswith("pillow-heif") for one in extras["demo"])
