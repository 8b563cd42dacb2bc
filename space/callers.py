"""What the page takes from whoever calls it: no web addresses, and nothing of a call reaches the log."""

import json
import pathlib
import re
import sys
import traceback
import urllib.parse

import gradio as gr

ADDRESS = "Web addresses are refused: nothing is fetched for anyone. Upload the photo itself."
FAILED = "This request could not be answered. For programs: the page's API view lists what each endpoint takes."
WEB = re.compile(r"^\s*(https?|ftp|s3|gs|hf):", re.IGNORECASE)
# Routes of Gradio that take a place in their path, and fetch it where it is a web address.
FETCHING = re.compile(r"/(?:file=|file/|proxy=)(.*)", re.DOTALL)


def without_addresses(value):
    """The inputs of a call; an uploaded file's own ``url``, which browsers send and the page has no use for, is left
    out.

    Raises:
        gradio.Error: something is a web address.
    """
    if isinstance(value, (list, tuple)):
        return [without_addresses(item) for item in value]
    if isinstance(value, dict):
        uploaded = bool(value.get("path")) and not str(value.get("url")).startswith("data:")
        return {key: None if uploaded and key == "url" else without_addresses(item) for key, item in value.items()}
    if isinstance(value, str) and WEB.match(value):
        raise gr.Error(ADDRESS, print_exception=False)
    return value


class Page(gr.Blocks):
    """A page whose callers name no web addresses, leave nothing in the log, and may leave out an endpoint's last
    parameters.

    These are then as their components begin; Gradio's clients know the defaults of documented endpoints alone.
    """

    def validate_inputs(self, block_fn, inputs):
        inputs.extend(component.value for component in block_fn.inputs[len(inputs) :])
        super().validate_inputs(block_fn, inputs)

    async def process_api(self, block_fn, inputs, *args, **kwargs):
        """As Gradio's, which would print the traceback of a call that fails, the caller's own values in it."""
        try:
            return await super().process_api(block_fn, without_addresses(inputs), *args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            print(f"A call failed: {_place_of(error)}.", file=sys.stderr, flush=True)
            raise gr.Error(FAILED, print_exception=False) from None


def _place_of(error: Exception) -> str:
    """An exception's type, and the line of this page where it was raised, without its message."""
    own = pathlib.Path(__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if pathlib.Path(frame.filename).parent == own and frame.filename != __file__
    ]
    return type(error).__name__ + (
        f" at {pathlib.Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    )


class RefuseAddresses:
    """ASGI middleware: answers 403, with a sentence, where a route of Gradio would fetch a web address.

    Args:
        app: what answers all other requests.
    """

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and _names_address(scope):
            body = json.dumps({"error": ADDRESS}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await self.app(scope, receive, send)


def _names_address(scope) -> bool:
    """Whether a request's path names a web address as a file, however often it is encoded."""
    path = scope["path"]
    for _ in range(3):
        match = FETCHING.search(path)
        if match and WEB.match(match[1].lstrip("/")):
            return True
        path = urllib.parse.unquote(path)
    return False
