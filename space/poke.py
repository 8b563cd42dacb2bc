"""The tab that breaks the answer: everyday photos as a story of one tap each, and sliders for the curious."""

import functools

import gradio as gr
import numpy as np
from charts import along_slider, figure, heat_over
from demo import Answer, Demo, Face
from face_card import message
from photo import PhotoTab, forgotten
from presets import changed, signed, story, told

# Name of the change in hf_model/pictures/changes.py, what it is called here, lowest, highest, step, and where it
# changes nothing. They are applied in this order: what moves the face first, then what covers it, light, and what a
# camera does.
SLIDERS = (
    ("margin", "Zoom out", -0.2, 0.4, 0.02, 0.0),
    ("tilt", "Tilt, degrees", -45, 45, 1, 0),
    ("mirror", "Mirrored", 0, 1, 1, 0),
    ("cover_eyes", "Bar over the eyes", 0, 0.4, 0.02, 0.0),
    ("cover_mouth", "Bar over the mouth", 0, 0.4, 0.02, 0.0),
    ("brightness", "Brightness", 0.2, 2, 0.05, 1.0),
    ("contrast", "Contrast", 0.2, 2, 0.05, 1.0),
    ("saturation", "Colour (0: grey)", 0, 2, 0.1, 1.0),
    ("blur", "Blur, pixels", 0, 6, 0.25, 0.0),
    ("pixels", "Size, pixels", 16, 224, 8, 224),
    ("jpeg", "JPEG quality", 5, 100, 5, 100),
)
UNCHANGED = [slider[5] for slider in SLIDERS]
STEPS = 7  # answers along the slider that moves, beside that at its place
NO_FACE = "No face was found in this photo, so there is nothing to change."


def poke(demo: Demo, moving: str, face: Face, values: list[float]) -> str:
    """The altered face beside the original, both answers with their maps, and a chart along the slider that moved."""
    changes = demo.part("pictures.changes")
    names = [slider[0] for slider in SLIDERS]
    _, title, low, high, _, _ = next(slider for slider in SLIDERS if slider[0] == moving)
    place = float(values[names.index(moving)])
    strengths = sorted({*np.linspace(low, high, STEPS).tolist(), place})

    def at(strength: float):
        steps = [(name, strength if name == moving else value) for name, value in zip(names, values, strict=True)]
        return changed(changes, face, steps)

    altered = at(place)
    first, *along = (found[0] for found in demo.predictor([face.crop, *map(at, strengths)], faces="none"))
    figures = []
    for name, picture in (("As it is", face.crop), ("Altered", altered)):
        (explained,) = demo.predictor.explain(picture, target="age", faces="none")
        shown = heat_over(explained.crop, explained.heatmap, "age")
        figures += [
            figure(explained.crop, f"{name}: {told(explained.prediction)}", f"{name}: the face"),
            figure(shown, "Older orange, younger blue", f"{name}: map of the age"),
        ]
    here = along[strengths.index(place)]
    chart = along_slider(title, strengths, [a.age for a in along], [a.female_probability for a in along], place)
    moved_by = (
        f"<p><b>Moved:</b> {here.age - first.age:+.1f} years, probability of “female” "
        f"{signed(round(100 * (here.female_probability - first.female_probability)))} points.</p>"
    )
    return f'<div class="card"><div class="maps">{"".join(figures)}</div>{moved_by}{chart}</div>'


def build_poke(demo: Demo, tab: gr.Tab, photo: PhotoTab) -> None:
    """The tab's components and events."""
    gr.Markdown("The same face as other photos would show it. Tap one: how far does the answer move?")
    presets = gr.HTML(elem_id="presets")
    with gr.Accordion("More: sliders", open=False, elem_id="sliders-box"), gr.Row():
        with gr.Column():
            sliders = [
                gr.Slider(low, high, value=neutral, step=step, label=title, elem_id=f"poke-{name}")
                for name, title, low, high, step, neutral in SLIDERS
            ]
            reset = gr.Button("Undo all", elem_id="poke-reset")
        with gr.Column():
            shown = gr.HTML('<p class="said">Move a slider.</p>', elem_id="poked")
    done = gr.State()  # of which answer the presets stand there

    def face_of(path: str, answer: Answer | None) -> Face:
        kept = photo.kept(path, answer)
        if kept is None:
            raise ValueError(demo.problem or forgotten())
        if not kept.faces:
            raise ValueError(NO_FACE)
        return kept.faces[0]

    def opened(path: str, answer: Answer | None, last: tuple | None):
        mark = (path, None if answer is None else answer.predictions)
        if last == mark:
            return gr.skip(), gr.skip(), last
        try:
            told = demo.within_time(story, demo, face_of(path, answer))
        except ValueError as error:
            return message(str(error)), "", None
        return told, '<p class="said">Move a slider.</p>', mark

    def poked(moving: str, path: str, answer: Answer | None, *values):
        try:
            return demo.within_time(poke, demo, moving, face_of(path, answer), list(values))
        except ValueError as error:
            return message(str(error))

    events = {"api_visibility": "private", "concurrency_id": "model", "show_progress": "minimal"}
    known = [photo.path, photo.answer]
    tab.select(opened, [*known, done], [presets, shown, done], trigger_mode="always_last", **events)
    for slider, (name, *_) in zip(sliders, SLIDERS, strict=True):
        slider.input(functools.partial(poked, name), [*known, *sliders], shown, trigger_mode="always_last", **events)
    reset.click(lambda: UNCHANGED, None, sliders, api_visibility="private").then(
        functools.partial(poked, "blur"), [*known, *sliders], shown, **events
    )
