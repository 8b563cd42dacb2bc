"""How the page looks: Gradio's theme and ``look.css``, both with the values of ``look.json``."""

import json
import pathlib
import string

import gradio as gr

# Every colour, size and shape of the page; of a pair the first is for the light theme, the second for the dark one.
LOOK = json.loads(pathlib.Path(__file__).with_name("look.json").read_text(encoding="utf-8"))

STYLES = string.Template(pathlib.Path(__file__).with_name("look.css").read_text(encoding="utf-8"))


def styles() -> str:
    """The page's CSS, its values as custom properties of both themes."""

    def properties(theme: int) -> str:
        values = {name: value if isinstance(value, str) else value[theme] for name, value in LOOK.items()}
        return " ".join(f"--{name}: {value};" for name, value in values.items())

    plain = {name: value for name, value in LOOK.items() if isinstance(value, str)}
    return STYLES.substitute(plain, light=properties(0), dark=properties(1))


def theme() -> gr.themes.Base:
    """The table's colours for Gradio's own components; no fonts from elsewhere."""
    made = gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="stone",
        radius_size="lg",
        spacing_size="md",
        text_size="md",
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    )
    parts = {
        "body_background_fill": "ground",
        "block_background_fill": "card",
        "block_border_color": "line",
        "body_text_color": "ink",
        "body_text_color_subdued": "quiet",
        "block_label_text_color": "quiet",
        "block_title_text_color": "ink",
        "block_info_text_color": "quiet",
        "slider_color": "accent",
        "button_primary_background_fill": "accent",
        "button_primary_background_fill_hover": "accent",
        "button_primary_text_color": "on_accent",
        "checkbox_background_color_selected": "accent",
    }
    parts |= {"input_background_fill": "ground", "input_border_color": "line", "checkbox_border_color": "quiet"}
    values = {}
    for part, name in parts.items():
        values[part], values[f"{part}_dark"] = LOOK[name]
    return made.set(
        **values,
        input_border_width="1px",
        block_shadow="none",
        block_radius=LOOK["corner"],
        button_large_text_weight="600",
    )
