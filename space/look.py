"""How the page looks: the theme and the styles, made from the table of its values in ``look.json``."""

import json
import pathlib
import string

import gradio as gr

# Every colour, size and shape of the page; of a pair the first is for the light theme, the second for the dark one.
LOOK = json.loads(pathlib.Path(__file__).with_name("look.json").read_text(encoding="utf-8"))

STYLES = string.Template("""
:root { $light } .dark { $dark }
.gradio-container { max-width: $widest !important; margin: 0 auto !important; }
.gradio-container .html-container { padding: 0 !important; } .gradio-container .main { padding-top: 0.75rem; }
@media (max-width: 899px) { .gradio-container .main { padding: 0.5rem 0.75rem; } }
#compared:not(:has(.card, .said)) { display: none; }
#head h1 { font-size: var(--title); margin: 0; } #head p { margin: 0.1rem 0 0; color: var(--quiet); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: var(--corner); box-shadow: var(--shadow);
        padding: var(--gap); color: var(--ink); }
.card + .card { margin-top: var(--gap); }
.small { font-size: var(--small); color: var(--quiet); margin: 0.3rem 0; } .card p { margin: 0.3rem 0; }
.card h2 { font-size: var(--large); margin: 0 0 0.4rem; }

#photo-tab { display: grid; gap: var(--gap); grid-template-columns: minmax(0, 1fr); grid-template-areas: "shown" "answer" "own" "rest"; }
#photo-tab > * { min-width: 0; }
#left { grid-area: shown; } #right { grid-area: answer; } #own { grid-area: own; } #rest { grid-area: rest; }
@media (min-width: $two_columns_from) {
  #photo-tab { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); grid-template-rows: auto 1fr auto;
               grid-template-areas: "shown answer" "own answer" "rest rest"; }
}
.photo { margin: 0; position: relative; text-align: center; padding: 0.5rem; }
.photo img { max-width: 100%; max-height: min(46vh, 520px); border-radius: 8px; margin: 0 auto; display: block; }
.photo figcaption { font-size: var(--small); color: var(--quiet); padding-top: 0.3rem; }
@media (max-width: 899px) { .photo img { max-height: 30vh; } .photo { padding: 0.25rem; } .photo figcaption { display: none; } #head h1 { font-size: var(--large); } }

.age { font-size: var(--large); line-height: 1.1; margin: 0 !important; } .age b { font-size: var(--answer); font-weight: 700; letter-spacing: -0.02em; }
.range { font-size: var(--large); margin: 0.1rem 0 0.4rem !important; }
.said { font-size: var(--large); margin: 0.4rem 0 0 !important; } .said b { font-weight: 700; }
.face { border-top: 4px solid var(--face, var(--accent)); } .face > h2 { display: flex; gap: 0.5rem; align-items: center; }
.face.unlikely { border-top-style: dashed; } .face.unlikely .age b { font-size: var(--title); }
.face .crop { float: right; width: 76px; height: 76px; border-radius: 10px; margin: 0 0 0.4rem 0.8rem; }
.number { background: var(--face); color: white; border-radius: 6px; padding: 0 0.5rem; }
.several .crop { width: 56px; height: 56px; } .several + .card { margin-top: var(--gap); } .several .range, .several .said { font-size: var(--text); }
.several .age { font-size: var(--text); } .several { display: grid; gap: var(--gap); grid-template-columns: repeat(auto-fill, minmax(min(100%, 230px), 1fr)); }
.several .card + .card { margin-top: 0; } .several .age b { font-size: 2.2rem; }
.alert { background: var(--alert_ground); color: var(--alert); border-radius: 10px; padding: 0.5rem 0.8rem; margin: 0.4rem 0; }
.alert b { font-size: var(--large); display: block; } .alert span { font-size: var(--small); }
.unsure .said, .unsure .bar, .unsure .ends { opacity: 0.62; } .unsure > p:first-child { color: var(--alert); font-weight: 600; }
.bar { position: relative; height: 14px; border-radius: 7px; margin-top: 0.4rem;
       background: linear-gradient(to right, var(--male), var(--line), var(--female)); }
.band { position: absolute; top: 0; bottom: 0; background: var(--quiet); opacity: 0.4; }
.mark { position: absolute; top: -5px; width: 5px; margin-left: -2px; height: 24px; border-radius: 3px; background: var(--ink); outline: 2px solid var(--card); }
.ends { display: flex; justify-content: space-between; margin-top: 6px; font-size: var(--small); color: var(--quiet); }
.notes { margin: 0; padding-left: 1.1rem; } .notes li { margin: 0.3rem 0; font-size: var(--small); color: var(--quiet); }
.note { font-size: var(--large); margin: 0; }

.own { display: grid; gap: 0.6rem; } .own p, .consent span { margin: 0 !important; } .row { display: flex; flex-wrap: wrap; gap: 0.6rem; }
.press { font: inherit; font-weight: 600; border-radius: 10px; padding: 0.6rem 1rem; border: 1px solid var(--accent); background: transparent;
         color: var(--accent); cursor: pointer; min-height: 44px; margin: 0 !important; }
.press.first { background: var(--accent); color: var(--on_accent); } .press[disabled] { opacity: 0.5; cursor: default; }
.consent { display: flex; gap: 0.6rem; align-items: flex-start; cursor: pointer; } .consent input { width: 20px; height: 20px; flex: none; accent-color: var(--accent); }
.consent.asked { outline: 3px solid var(--accent); outline-offset: 6px; border-radius: 6px; }
.told:empty { display: none; } .told { font-weight: 600; margin: 0; } .told.wrong { color: var(--alert); }
body.dropping::after { content: "Drop the photo anywhere"; position: fixed; inset: 0; z-index: 99; display: grid; place-items: center;
  font-size: var(--title); background: color-mix(in srgb, var(--accent) 82%, transparent); color: var(--on_accent); }
#examples { gap: 0.6rem; } #examples button { flex-direction: column; gap: 0.3rem; background: var(--card); border: 1px solid var(--line); border-radius: var(--corner);
  color: var(--ink); font-size: var(--small); min-width: 0; flex: 1 1 0; padding: 0.4rem; white-space: normal; }
#examples img { width: 72px; height: 72px; object-fit: cover; border-radius: 8px; margin: 0; }
dialog.camera { border: 1px solid var(--line); border-radius: var(--corner); background: var(--card); color: var(--ink); padding: var(--gap); max-width: min(94vw, 680px); margin: auto; }
dialog.camera::backdrop { background: rgb(0 0 0 / 0.6); } dialog video, .stage video { width: 100%; border-radius: 10px; background: #000; }

.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.6rem; max-width: 620px; }
.picture { margin: 0; } .picture img { width: 100%; border-radius: 10px; display: block; } .picture figcaption { font-size: var(--small); padding-top: 0.3rem; }
.picture figcaption b { font-size: var(--large); display: block; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(224px, 46%), 1fr)); gap: 0.6rem; } .maps .picture { max-width: 300px; }
.legend { display: flex; flex-wrap: wrap; gap: 1rem; font-size: var(--small); } .legend i { display: inline-block; width: 0.9em; height: 0.9em; border-radius: 3px; margin-right: 0.35em; vertical-align: -0.1em; }
.story { display: grid; gap: 1rem; } @media (min-width: $two_columns_from) { .story { grid-template-columns: minmax(0, 1.15fr) minmax(0, 1fr); } }
.chips { display: flex; flex-wrap: wrap; gap: 0.5rem; } .chips b { color: inherit; }
.chips button { font: inherit; font-size: var(--small); border: 1px solid var(--line); border-radius: 999px; padding: 0.5rem 0.9rem; min-height: 44px; margin: 0 !important;
  background: var(--card); color: var(--ink); cursor: pointer; }
.chips button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--on_accent); }
.moved { font-size: var(--large); }
@media (max-width: 899px) { .moved { font-size: var(--text); } .story > div:first-child { position: sticky; top: 0; background: var(--card); z-index: 1; padding-bottom: 0.5rem; } .chips { gap: 0.35rem; } .chips button { padding: 0.4rem 0.7rem; } }
.stage { position: relative; max-width: 640px; margin-top: var(--gap); } .stage[hidden] { display: none; } #live svg.boxes { display: none; } .stage video { display: block; } .stage svg { position: absolute; inset: 0; width: 100%; height: 100%; }
#live-tab { display: grid; gap: var(--gap); grid-template-columns: minmax(0, 1fr); } #live-tab > * { min-width: 0; }
@media (min-width: $two_columns_from) { #live-tab { grid-template-columns: minmax(0, 1.2fr) minmax(0, 1fr); } }
@media (max-width: 899px) { .stage video { max-height: 38vh; object-fit: contain; } } #live ul { padding-left: 1.1rem; }
.chart { width: 100%; max-width: 420px; margin-top: 0.6rem; overflow: visible; display: block; } .chart text { font-size: 11px; fill: var(--quiet); text-anchor: middle; }
.curve { fill: none; stroke: var(--accent); stroke-width: 2; } .curve.other { stroke: var(--second); stroke-dasharray: 5 4; }
.range-shade { fill: var(--accent); opacity: 0.16; } .mean { stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 2 3; }
.bars { border-collapse: collapse; width: 100%; border: none !important; } .bars th { text-align: left; font-weight: 400; padding: 0.15rem 0.6rem 0.15rem 0; white-space: nowrap; }
.bars td, .bars th, .bars tr { border: none !important; } .bars td { width: 40%; padding: 0.15rem 0.6rem; } .bars i { display: block; height: 0.9em; border-radius: 3px; background: var(--accent); min-width: 2px; }
.bars .worst i { background: var(--alert); } .bars td span { display: flex; gap: 0.5rem; align-items: center; } .bars caption { text-align: left; font-weight: 600; padding: 0.6rem 0 0.2rem; }
@media (max-width: 899px) { .bars th { white-space: normal; font-size: var(--small); } .bars td { padding: 0.15rem 0.2rem; width: 34%; } }
button[role="tab"].selected { color: var(--accent); } #versions * { color: var(--quiet); font-size: var(--small); } footer .divider { display: none; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
""")


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
