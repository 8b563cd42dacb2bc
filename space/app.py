"""The Space: a photo in, every face boxed with age, perceived gender and what is known of the errors."""

import importlib.util
import json
import os
import pathlib
import socket
import sys

# Before Gradio is imported: its client, which answers MCP's calls, reports itself by huggingface_hub else.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from about import build_about
from callers import Page, RefuseAddresses
from demo import CONCURRENCY, Demo
from face_card import WORDS, message
from live import build_live
from look import styles, theme
from photo import LIFETIME, PhotoTab
from poke import build_poke
from programs import build_programs

WAITING = 32
HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "examples"
EXAMPLES = [  # Eileen Collins, by NASA, in the public domain; the others are made from the first
    (FOLDER / "astronaut.jpg", "An astronaut"),
    (FOLDER / "pair.jpg", "Two faces, one far away"),
    (FOLDER / "poor.jpg", "A poor photo"),
]
HEAD = """# Age and perceived gender
A guess from a face photo, with its doubt. For teaching, never for deciding."""


def build(demo: Demo) -> gr.Blocks:
    """The page."""
    gr.set_static_paths([FOLDER])  # Gradio's own copies of thumbnails would be deleted with the photos
    cleaning = (min(60, LIFETIME), LIFETIME)
    with Page(title="Age and perceived gender", analytics_enabled=False, delete_cache=cleaning) as page:
        gr.Markdown(HEAD, elem_id="head")
        if demo.problem:
            gr.HTML(message(demo.problem))
        with gr.Tabs():
            with gr.Tab("Photo", id="photo"):
                photo = PhotoTab(demo, EXAMPLES)
            with gr.Tab("Poke it", id="poke") as poke:
                build_poke(demo, poke, photo)
            with gr.Tab("Live", id="live"):
                build_live(demo)
            with gr.Tab("About", id="about"):
                build_about(demo)
        versions = demo.versions()
        if versions:
            gr.Markdown(versions, elem_id="versions")
        build_programs(demo)
    return page


def main() -> int:
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    with socket.socket() as probe:  # before the model is loaded, and in a sentence
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            print(
                f"No page at {host}:{port} ({error.strerror}): set GRADIO_SERVER_PORT to another port.", file=sys.stderr
            )
            return 2
    page = build(Demo())
    script = (HERE / "page.js").read_text(encoding="utf-8")
    page.queue(max_size=WAITING, default_concurrency_limit=CONCURRENCY)
    page.launch(
        server_name=host,
        server_port=port,
        max_file_size="20mb",
        show_error=False,
        run_history=False,  # else Gradio keeps each call in the visitor's browser
        app_kwargs={"middleware": [(RefuseAddresses, (), {})]},  # as starlette's Middleware unpacks
        theme=theme(),
        css=styles(),
        head=f"<script>window.cameraWords = {json.dumps(WORDS['browser']['camera'])};\n{script}</script>",
        footer_links=["api"],
        ssr_mode=False,
        mcp_server=importlib.util.find_spec("mcp") is not None,  # comes with gradio[mcp]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
