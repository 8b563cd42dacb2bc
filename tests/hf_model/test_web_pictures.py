"""What a pipeline takes beyond the predictor's inputs, and its bounds."""

import base64
import http.server
import threading
import time

import numpy as np
import pytest

from hf_model.pictures import web_pictures
from hf_model.pictures.images import InvalidImageError
from hf_model.pictures.web_pictures import fetch, is_stream, picture_of


@pytest.fixture(scope="module")
def server():
    """A local server: a picture, redirects to it, too much, and too slow."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            kind, _, number = self.path.strip("/").partition("/")
            if kind == "hop":
                self.send_response(302)
                left = int(number)
                self.send_header("Location", "/picture" if not left else f"/hop/{left - 1}")
                self.end_headers()
            elif kind in ("picture", "large", "slow"):
                self.send_response(200)
                self.end_headers()
                try:
                    for _ in range({"picture": 1, "large": 400, "slow": 20}[kind]):
                        self.wfile.write(b"x" * (10 if kind != "large" else 100_000))
                        self.wfile.flush()
                        time.sleep(0.2 if kind == "slow" else 0)
                except OSError:
                    pass
            else:
                self.send_error(404)

        def log_message(self, *args):
            pass

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()


def test_a_web_address_is_fetched_within_its_bounds(server, monkeypatch):
    assert fetch(f"{server}/picture") == picture_of(f"{server}/hop/2") == b"x" * 10
    monkeypatch.setattr(web_pictures, "MOST_SECONDS", 1.0)
    for path, words in [
        ("hop/9", "too many redirects"),
        ("large", "larger than 20 MB"),
        ("slow", "took longer than 1 seconds"),
        ("nothing", "answered 404"),
    ]:
        with pytest.raises(InvalidImageError, match=words):
            fetch(f"{server}/{path}")
    with pytest.raises(InvalidImageError, match="could not be fetched"):
        fetch("http://127.0.0.1:9/a.jpg")


def test_texts_and_dicts_are_told_apart(tmp_path):
    data = b"some picture's bytes" * 20
    text = base64.b64encode(data).decode()
    assert picture_of(text) == picture_of(f"data:image/png;base64,{text}") == data
    long = tmp_path / ("a" * 80 + ".jpg")
    long.write_bytes(b"")
    assert picture_of(str(long)) == str(long)
    assert picture_of("photo.jpg") == "photo.jpg"
    assert picture_of({"image": {"bytes": None, "path": "photo.jpg"}}) == "photo.jpg"
    assert picture_of(data) is data
    with pytest.raises(InvalidImageError, match="dict without a picture"):
        picture_of({"label": 3})
    with pytest.raises(InvalidImageError, match="no base64 text"):
        picture_of("x y!" * 30)


def test_streams_are_told_from_single_pictures():
    class Dataset:
        def __len__(self):
            return 2

        def __getitem__(self, place):
            return place

    assert is_stream(iter([]))
    assert is_stream(Dataset())
    for one in ("a.jpg", b"x", np.zeros((2, 2, 3), np.uint8), {"image": "a.jpg"}):
        assert not is_stream(one)
