"""The first tab: a photo in; who is in it, how sure, and why."""

import gradio as gr
import numpy as np
from charts import figure, heat_over
from components import Photo, ShownCrops, ShownPhoto
from demo import TARGETS, Demo
from presentation import beside_answer, card_section, describe_faces, group_table, message

WHY = {
    "age": "Orange made the answer older, blue younger.",
    "gender": "Purple spoke for the side that was called.",
}
NOT_SHOWN = (
    "A heat map shows where the answer would move if the picture changed there. It does not show why a place counts, "
    "what the network sees in it, or that the answer is right."
)


def why(answer) -> str:
    """The maps of every face as HTML, with what they do not show."""
    figures = [
        figure(
            heat_over(face.crop, face.maps[target], target),
            f"Face {number}, {target}. {WHY[target]}",
            f"Face {number} with a heat map of the {target}",
        )
        for number, face in enumerate(answer.faces, start=1)
        for target in TARGETS
        if target in face.maps
    ]
    return f'<div class="maps">{"".join(figures)}</div><p class="small">{NOT_SHOWN}</p>' if figures else ""


def show(demo: Demo, photo: str | None, all_faces: bool):
    """What the tab shows: annotated photo, answers in words, why, notes, crops, data; and the first face for the others."""
    try:
        answer = demo.answer(photo, all_faces, TARGETS)
    except ValueError as error:
        return None, message(str(error)), "", beside_answer([], demo.card), [], [], None
    words = describe_faces(answer.predictions, demo.predictor.config["decision"], demo.metrics)
    if answer.found > len(answer.faces):
        words += message(f"{answer.found} faces were found. Switch on “All faces” to see every one of them.")
    gallery = [(np.asarray(face.crop), f"face {number}") for number, face in enumerate(answer.faces, start=1)]
    data = [{key: value for key, value in face.items() if key != "age_distribution"} for face in answer.predictions]
    first = np.asarray(answer.faces[0].crop) if answer.faces else None
    notes = beside_answer(answer.predictions, demo.card)
    return np.asarray(answer.annotated()), words, why(answer), notes, gallery, data, first


def _example_buttons(examples: list) -> list[gr.Button]:
    """A button with a picture for each example."""
    return [
        gr.Button(
            f"Example: {title}",
            elem_id="example" if not number else f"example-{number}",
            icon=str(path),
            size="sm",
        )
        for number, (path, title) in enumerate(examples)
    ]


def build_estimate(demo: Demo, examples: list) -> gr.State:
    """The tab's components and events; gives the state that holds the first face's crop."""
    first_face = gr.State()
    with gr.Row():
        with gr.Column():
            photo = Photo(
                label="Photo",
                type="filepath",
                sources=["upload", "clipboard", "webcam"],
                alt_text="Your photo",
                elem_id="photo",
            )
            all_faces = gr.Checkbox(label="All faces, not only the clearest one", elem_id="all-faces")
            run = gr.Button("Estimate", variant="primary", elem_id="run")
            with gr.Row():
                buttons = _example_buttons(examples)
        with gr.Column():
            annotated = ShownPhoto(
                label="Faces found",
                interactive=False,
                buttons=["download", "fullscreen"],
                alt_text="The photo with a numbered box around every face shown",
                elem_id="annotated",
            )
            words = gr.HTML(elem_id="words")
        with gr.Column():
            notes = gr.HTML(beside_answer([], demo.card), elem_id="notes")
    with gr.Accordion("Why: where the network looked", open=True):
        reasons = gr.HTML(elem_id="why")
    with gr.Accordion("What the model saw, and the answer as data", open=False):
        crops = ShownCrops(label="Crops given to the model", columns=4, height="auto")
        faces = gr.JSON(label="Predictions")
    for title in ("Bias", "Out-of-scope use"):
        text = card_section(demo.card, title)
        if text:
            gr.Markdown(f"## {title}\n\n{text}")
    if demo.metrics:
        with gr.Accordion("Measured errors by group", open=False):
            gr.Markdown(group_table(demo.metrics))
    shown = [annotated, words, reasons, notes, crops, faces, first_face]

    def answer(photo, all_faces):
        return show(demo, photo, all_faces)

    # One event for all three, and the last state is always answered: with "once", a photo chosen while the
    # answer to the one before (or to its removal) was on its way would never get its own.
    events = {"api_visibility": "private", "concurrency_id": "model", "trigger_mode": "always_last"}
    gr.on([run.click, photo.input, all_faces.input], answer, [photo, all_faces], shown, **events)
    for button, (path, _) in zip(buttons, examples, strict=True):
        button.click(lambda path=path: str(path), None, photo, api_visibility="private").then(
            answer, [photo, all_faces], shown, **events
        )
    return first_face
