"""What agents and programs get: two tools, the endpoints by name, and nothing fetched from anywhere."""

import asyncio
import base64
import io
import json

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
    assert "Web addresses are refused" in text


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
