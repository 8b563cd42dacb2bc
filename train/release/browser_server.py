"""Serves the static page on this machine."""

import functools
import http.server
import pathlib

HEADERS = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}  # for threads


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with the headers that let a page use threads."""

    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
    }

    def __init__(self, *given, isolated: bool = True, **named):
        self.isolated = isolated
        super().__init__(*given, **named)

    def end_headers(self):
        for name, value in HEADERS.items() if self.isolated else ():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *told):
        pass


def serve(folder: pathlib.Path, port: int, isolated: bool = True) -> http.server.ThreadingHTTPServer:
    """A server of a folder on this machine alone, not yet running; ``isolated``: so that the page may use threads."""
    handler = functools.partial(Handler, directory=str(folder), isolated=isolated)
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
