"""Whoever calls the page: web addresses are refused before anything is fetched, and nothing of a call reaches the log."""

import json
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


def test_an_uploaded_photo_is_answered_and_nobody_else_is_asked(root, recorded, astronaut, tmp_path):
    environment, record = recorded
    astronaut.save(tmp_path / "photo.png")
    with running_space(root, environment) as url:
        boundary = "edge"
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'.encode()
            + (tmp_path / "photo.png").read_bytes()
            + f"\r\n--{boundary}--\r\n".encode()
        )
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(f"{url}/gradio_api/upload", body, headers)
        (path,) = json.load(urllib.request.urlopen(request, timeout=30))
        own = {"path": path, "url": f"{url}/gradio_api/file={path}", **FILE}
        assert '"female_probability"' in ask(url, "predict", [own, False])
        assert urllib.request.urlopen(f"{url}/gradio_api/file={path}", timeout=30).status == 200
        assert record() == []
