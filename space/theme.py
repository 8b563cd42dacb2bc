"""How the page looks: its theme, and the styles of what it draws itself."""

import gradio as gr

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
.chart { width: 100%; max-width: 420px; overflow: visible; } .chart text { font-size: 11px; fill: currentColor; text-anchor: middle; }
.curve { fill: none; stroke: #1d4ed8; stroke-width: 2; } .curve.other { stroke: #7e22ce; stroke-dasharray: 5 4; }
.dark .curve { stroke: #93c5fd; } .dark .curve.other { stroke: #d8b4fe; }
.range { fill: #3b82f6; opacity: 0.18; } .mean { stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 2 3; }
button[role="tab"].selected { color: #0f766e; } .dark button[role="tab"].selected { color: #99f6e4; }
button[id^="example"] { flex-direction: column; gap: 0.4rem; }
button[id^="example"] img { width: 84px; height: 84px; object-fit: cover; border-radius: 8px; margin: 0; }
.ends { display: flex; justify-content: space-between; font-size: 0.8em; }
"""


def theme() -> gr.themes.Base:
    """Teal on warm grey, flat, large to the touch; no fonts from elsewhere, and contrasts of at least 4.5 to 1."""
    made = gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="stone",
        radius_size="lg",
        spacing_size="md",
        text_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    )
    return made.set(
        body_background_fill="*neutral_50",
        block_background_fill="white",
        block_background_fill_dark="*neutral_800",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        button_large_text_weight="600",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        slider_color="*primary_700",
        slider_color_dark="*primary_400",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
    )
