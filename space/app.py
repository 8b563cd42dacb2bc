"""The Space: a photo in, every face boxed with age, perceived gender and what is known of the errors."""

import importlib.util
import os
import pathlib
import sys

import gradio as gr
from components import Page
from demo import CONCURRENCY, Demo
from estimate import build_estimate
from live import build_live
from poke import build_poke
from presentation import message
from programs import build_programs

FILE_LIFETIME = int(os.environ.get("FILE_LIFETIME_SECONDS", "300"))
WAITING = 32
FOLDER = pathlib.Path(__file__).with_name("examples")
EXAMPLES = [  # Eileen Collins, by NASA, in the public domain; the others are made from the first
    (FOLDER / "astronaut.jpg", "Eileen Collins (NASA)"),
    (FOLDER / "pair.jpg", "two faces, one far away"),
    (FOLDER / "poor.jpg", "a poor photo"),
]
CSS = """
.face { border-left: 6px solid; padding: 0.2rem 1rem; margin: 0.8rem 0; }
.face h3 { margin: 0.2rem 0; } .face p { margin: 0.3rem 0; }
.warning, .doubt { border-left: 3px solid #b45309; padding-left: 0.6rem; } .small { font-size: 0.85em; }
.note { font-size: 1.1em; padding: 0.8rem; }
.bar { position: relative; height: 16px; border-radius: 8px; margin-top: 0.5rem;
       background: linear-gradient(to right, #9fb8e8, #e4e4e7, #e8b89f); }
.band { position: absolute; top: 0; bottom: 0; background: #71717a; opacity: 0.55; }
.mark { position: absolute; top: -4px; width: 4px; height: 24px; background: #111827; outline: 1px solid white; }
.weak { color: var(--body-text-color-subdued); } .weak .mark { opacity: 0.5; }
.maps { display: flex; flex-wrap: wrap; gap: 0.6rem; } .picture { margin: 0; width: 132px; }
.picture img { width: 100%; border-radius: 6px; } .picture figcaption { font-size: 0.85em; } .live { max-width: 100%; }
.chart { width: 100%; max-width: 420px; } .chart text { font-size: 11px; fill: currentColor; text-anchor: middle; }
.curve { fill: none; stroke: #1d4ed8; stroke-width: 2; } .curve.other { stroke: #7e22ce; stroke-dasharray: 5 4; }
.dark .curve { stroke: #93c5fd; } .dark .curve.other { stroke: #d8b4fe; }
.range { fill: #3b82f6; opacity: 0.18; } .mean { stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 2 3; }
button[role="tab"].selected { color: #1d4ed8; } .dark button[role="tab"].selected { color: #bfdbfe; }
.ends { display: flex; justify-content: space-between; font-size: 0.8em; }
"""
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
        build_programs(demo)
    return page


def theme() -> gr.themes.Base:
    """Gradio's default theme, without fonts from elsewhere and with contrasts of at least 4.5 to 1."""
    made = gr.themes.Default(primary_hue="blue", font=["system-ui", "sans-serif"], font_mono=["monospace"])
    return made.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
    )


def main() -> None:
    page = build(Demo())
    page.queue(max_size=WAITING, default_concurrency_limit=CONCURRENCY)
    page.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        server_port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        max_file_size="20mb",
        show_error=False,
        theme=theme(),
        css=CSS,
        footer_links=["api"],
        ssr_mode=False,
        mcp_server=importlib.util.find_spec("mcp") is not None,  # comes with gradio[mcp]
    )


if __name__ == "__main__":
    sys.exit(main())
