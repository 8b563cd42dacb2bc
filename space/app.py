"""The Space: a photo in, every face boxed with age, perceived gender and what is known of the errors."""

import importlib.util
import os
import pathlib
import socket
import sys

import gradio as gr
from components import Page
from demo import CONCURRENCY, Demo
from estimate import build_estimate
from live import build_live
from poke import build_poke
from presentation import message
from programs import build_programs
from theme import CSS, theme

FILE_LIFETIME = int(os.environ.get("FILE_LIFETIME_SECONDS", "300"))
WAITING = 32
FOLDER = pathlib.Path(__file__).with_name("examples")
EXAMPLES = [  # Eileen Collins, by NASA, in the public domain; the others are made from the first
    (FOLDER / "astronaut.jpg", "Eileen Collins (NASA)"),
    (FOLDER / "pair.jpg", "two faces, one far away"),
    (FOLDER / "poor.jpg", "a poor photo"),
]
DISCLAIMER = """## Before you start

This page guesses an **age** and a **perceived gender** from a photo. It is made for teaching. It is
often wrong, more often for some people than for others, and it knows only the two gender labels of
its training data, which say how strangers saw a person, not who they are.

Use it only with photos of people who agree to it, and never to decide anything about anyone: not for
age checks, hiring, policing or identification. No photo is kept: files are deleted after
{minutes:g} minutes, nothing is logged and there are no analytics.
"""


def build(demo: Demo) -> gr.Blocks:
    """The page."""
    cleaning = (min(60, FILE_LIFETIME), FILE_LIFETIME)
    with Page(title="Age and perceived gender", analytics_enabled=False, delete_cache=cleaning) as page:
        gr.Markdown("# Age and perceived gender from a face photo")
        if demo.problem:
            gr.HTML(message(demo.problem))
        with gr.Column() as gate:
            gr.Markdown(DISCLAIMER.format(minutes=FILE_LIFETIME / 60))
            accept = gr.Button("I understand", variant="primary", elem_id="accept")
        with gr.Column(visible=False) as main, gr.Tabs():
            with gr.Tab("Estimate", id="estimate"):
                first_face = build_estimate(demo, EXAMPLES)
            with gr.Tab("Poke it", id="poke"):
                build_poke(demo, first_face)
            with gr.Tab("Live", id="live"):
                build_live(demo)
        accept.click(
            lambda: (gr.Column(visible=False), gr.Column(visible=True)), None, [gate, main], api_visibility="private"
        )
        gr.Markdown(demo.versions(), elem_id="versions", elem_classes="small")
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
    page.queue(max_size=WAITING, default_concurrency_limit=CONCURRENCY)
    page.launch(
        server_name=host,
        server_port=port,
        max_file_size="20mb",
        show_error=False,
        theme=theme(),
        css=CSS,
        footer_links=["api"],
        ssr_mode=False,
        mcp_server=importlib.util.find_spec("mcp") is not None,  # comes with gradio[mcp]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
