"""The tab that breaks the answer: sliders change the face, and the answer beside them moves."""

import functools

import gradio as gr
import numpy as np
import PIL.Image
from charts import along_slider, figure, heat_over
from demo import Demo
from presentation import message

# Name of the change in hf_model/pictures/changes.py, what it is called here, lowest, highest, step, and where it changes nothing.
# They are applied in this order: what moves the face first, then what covers it, light, and what a camera does.
SLIDERS = (
    ("margin", "Crop margin, of the side", -0.2, 0.4, 0.02, 0.0),
    ("tilt", "Tilt, degrees", -45, 45, 1, 0),
    ("mirror", "Mirrored", 0, 1, 1, 0),
    ("cover_eyes", "Bar over the eyes, of the side", 0, 0.4, 0.02, 0.0),
    ("cover_mouth", "Bar over the mouth, of the side", 0, 0.4, 0.02, 0.0),
    ("brightness", "Brightness, times", 0.2, 2, 0.05, 1.0),
    ("contrast", "Contrast, times", 0.2, 2, 0.05, 1.0),
    ("saturation", "Colour, times (0: grey)", 0, 2, 0.1, 1.0),
    ("blur", "Blur, pixels", 0, 6, 0.25, 0.0),
    ("pixels", "Size, pixels", 16, 224, 8, 224),
    ("jpeg", "JPEG quality", 5, 100, 5, 100),
)
UNCHANGED = [slider[5] for slider in SLIDERS]
STEPS = 7  # answers along the slider that moves, beside that at its place
# What "most fragile" compares: a mild change of each kind.
MILD = {
    "margin": 0.08, "tilt": 12, "mirror": 1, "cover_eyes": 0.16, "cover_mouth": 0.16, "brightness": 0.6,
    "contrast": 0.6, "saturation": 0, "blur": 1.5, "pixels": 64, "jpeg": 20,
}  # fmt: skip
FIRST = "Choose a photo in the tab “Estimate” first: its first face comes here."


def change(changes, face: PIL.Image.Image, values: list[float]) -> PIL.Image.Image:
    """A face with all sliders applied, in their order."""
    for (name, *_, neutral), value in zip(SLIDERS, values, strict=True):
        if value != neutral:
            face = changes.CHANGES[name](face, value)
    return face


def interpolate(values: list[float], name: str, strength: float) -> list[float]:
    """The sliders' values with one of them moved."""
    return [strength if slider[0] == name else value for slider, value in zip(SLIDERS, values, strict=True)]


def poke(demo: Demo, moved: str, crop: np.ndarray, values: list[float]) -> str:
    """The altered face beside the original, both answers with their maps, and a chart along the slider that moved."""
    changes = demo.part("pictures.changes")
    face = PIL.Image.fromarray(crop)
    _, title, low, high, _, _ = next(slider for slider in SLIDERS if slider[0] == moved)
    place = float(values[[slider[0] for slider in SLIDERS].index(moved)])
    strengths = sorted({*np.linspace(low, high, STEPS).tolist(), place})
    altered = change(changes, face, values)
    row = [change(changes, face, interpolate(values, moved, strength)) for strength in strengths]
    answers = [found[0] for found in demo.predictor([face, *row], faces="none")]
    figures = []
    for name, picture in (("Original", face), ("Altered", altered)):
        (explained,) = demo.predictor.explain(picture, target="age", faces="none")
        told = describe_answer(explained.prediction)
        shown = heat_over(explained.crop, explained.heatmap, "age")
        figures += [
            figure(explained.crop, f"{name}: {told}", f"{name} face"),
            figure(shown, "Older orange, younger blue", f"{name}: map of the age"),
        ]
    first, along = answers[0], answers[1:]
    here = along[strengths.index(place)]
    chart = along_slider(title, strengths, [a.age for a in along], [a.female_probability for a in along], place)
    moved_by = (
        f"<p><b>Moved:</b> {here.age - first.age:+.1f} years, probability of “female” "
        f"{100 * (here.female_probability - first.female_probability):+.0f} points.</p>"
    )
    return f'<div class="maps">{"".join(figures)}</div>{moved_by}{chart}'


def describe_answer(prediction) -> str:
    """An answer in a few words."""
    return f"{prediction.age:.0f} years, P(female) {prediction.female_probability:.0%}"


def fragile(demo: Demo, crop: np.ndarray) -> str:
    """A sentence: which mild change moved the answer for this face most."""
    changes = demo.part("pictures.changes")
    face = PIL.Image.fromarray(crop)
    pictures = [face, *(changes.CHANGES[name](face, strength) for name, strength in MILD.items())]
    first, *others = (found[0] for found in demo.predictor(pictures, faces="none"))
    titles = {name: title for name, title, *_ in SLIDERS}
    years = {name: other.age - first.age for name, other in zip(MILD, others, strict=True)}
    points = {
        name: other.female_probability - first.female_probability for name, other in zip(MILD, others, strict=True)
    }
    by_age, by_gender = (max(moved, key=lambda name, moved=moved: abs(moved[name])) for moved in (years, points))
    return (
        f'<p class="note"><b>Most fragile change:</b> “{titles[by_age]}” at {MILD[by_age]:g} moves the age by '
        f"{years[by_age]:+.1f} years; “{titles[by_gender]}” at {MILD[by_gender]:g} moves the probability of “female” by "
        f"{100 * points[by_gender]:+.0f} points.</p>"
    )


def build_poke(demo: Demo, first_face: gr.State) -> None:
    """The tab's components and events."""
    gr.Markdown("What does a little blur do to the answer? Move one slider at a time. Nothing is kept.")
    with gr.Row():
        with gr.Column():
            sliders = [
                gr.Slider(low, high, value=neutral, step=step, label=title, elem_id=f"poke-{name}")
                for name, title, low, high, step, neutral in SLIDERS
            ]
            reset = gr.Button("Undo all", elem_id="poke-reset")
        with gr.Column():
            worst = gr.HTML(elem_id="fragile")
            shown = gr.HTML(message(FIRST), elem_id="poked")

    def poked(moved, crop, *values):
        if crop is None:
            return message(FIRST)
        try:
            return demo.within_time(poke, demo, moved, crop, list(values))
        except ValueError as error:
            return message(str(error))

    def arrived(crop):
        if crop is None:
            return "", message(FIRST)
        try:
            return demo.within_time(fragile, demo, crop), demo.within_time(poke, demo, "blur", crop, UNCHANGED)
        except ValueError as error:
            return "", message(str(error))

    events = {
        "api_visibility": "private",
        "concurrency_id": "model",
        "trigger_mode": "always_last",
        "show_progress": "minimal",
    }
    first_face.change(arrived, first_face, [worst, shown], **events)
    for slider, (name, *_) in zip(sliders, SLIDERS, strict=True):
        slider.input(functools.partial(poked, name), [first_face, *sliders], shown, **events)
    reset.click(lambda: UNCHANGED, None, sliders, api_visibility="private").then(
        functools.partial(poked, "blur"), [first_face, *sliders], shown, **events
    )
