"""What agents and programs get: two tools, the endpoints by name, and nothing fetched from anywhere."""

import asyncio
import base64
import http.server
import io
import json
import threading

import pytest


def as_base64(picture) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def call(url: str, name: str | None = None, **arguments):
    """The names of the tools, or what calling one of them says."""
    mcp = pytest.importorskip("mcp", reason="the extra gradio[mcp] is not installed")
    from mcp.client.streamable_http import streamablehttp_client

    async def ask():
        async with (
            streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _),
            mcp.ClientSession(read, write) as session,
        ):
            await session.initialize()
            if name is None:
                return [tool.name for tool in (await session.list_tools()).tools]
            result = await session.call_tool(name, arguments)
            return result.isError, result.content[0].text

    return asyncio.run(ask())


def test_agents_get_two_tools_and_the_answer_of_predict(space_url, astronaut, fastest):
    assert sorted(call(space_url)) == ["explain_face", "predict_face"]
    failed, text = call(space_url, "predict_face", photo_base64="data:image/png;base64," + as_base64(astronaut))
    assert not failed
    (face,) = json.loads(text)
    (expected,) = fastest(astronaut)
    assert face["box"] == expected.box
    assert face["age"] == pytest.approx(expected.age, abs=0.01)
    failed, text = call(space_url, "explain_face", photo_base64=as_base64(astronaut), target="gender")
    (explained,) = json.loads(text)
    assert len(explained["heat"]) == 7
    assert max(map(max, explained["heat"])) > 0.3
    failed, text = call(space_url, "predict_face", photo_base64="http://example.invalid/a.jpg")
    assert failed
    assert "cannot be used" in text


@pytest.fixture
def watched():
    """A local server that counts what it is asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/secret.jpg", asked
    server.shutdown()


def test_no_address_is_fetched_for_anyone(space_url, watched):
    """Neither for an agent nor for a program that names a web address as its photo."""
    import urllib.error
    import urllib.request

    address, asked = watched
    assert call(space_url, "predict_face", photo_base64=address)[0]
    for endpoint in ("predict", "explain"):
        for data in ([{"path": address, "meta": {"_type": "gradio.FileData"}}], [address], [{"url": address}]):
            body = json.dumps({"data": [*data, *(["age"] if endpoint == "explain" else []), False]}).encode()
            request = urllib.request.Request(
                f"{space_url}/gradio_api/call/{endpoint}", body, {"Content-Type": "application/json"}
            )
            try:
                event = json.load(urllib.request.urlopen(request, timeout=30))["event_id"]
                urllib.request.urlopen(f"{space_url}/gradio_api/call/{endpoint}/{event}", timeout=60).read()
            except urllib.error.HTTPError:
                pass
    assert asked == []


def test_the_map_is_laid_back_over_the_photo(space_url, astronaut, tmp_path):
    import numpy as np
    import PIL.Image
    from gradio_client import Client, handle_file

    astronaut.save(tmp_path / "a.png")
    client = Client(space_url, verbose=False)
    picture, faces = client.predict(handle_file(str(tmp_path / "a.png")), "gender", api_name="/explain")
    (face,) = faces
    with PIL.Image.open(picture) as drawn:
        moved = np.abs(np.asarray(drawn.convert("RGB")).astype(int) - np.asarray(astronaut)).sum(axis=2)
    box = face["box"]
    inside = moved[box["ymin"] + 20 : box["ymax"] - 10, box["xmin"] + 20 : box["xmax"] - 10]
    assert (inside > 60).mean() > 0.2
    assert (moved[400:, :100] > 60).mean() < 0.01
    with pytest.raises(Exception, match="pass one of age, gender"):
        client.predict(handle_file(str(tmp_path / "a.png")), "height", api_name="/explain")
