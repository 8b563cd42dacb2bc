"""The Space: a photo in, every face boxed with age, perceived gender and what is known of the errors."""

import concurrent.futures
import dataclasses
import os
import pathlib
import sys
import tempfile
import traceback

import gradio as gr
import numpy as np
import PIL.Image
from model import find_model_folder, load_predictor, read_card, read_metrics
from presentation import card_section, describe_faces, draw_faces, group_table, message

FILE_LIFETIME = int(os.environ.get("FILE_LIFETIME_SECONDS", "300"))
REQUEST_SECONDS = int(os.environ.get("REQUEST_SECONDS", "30"))
CONCURRENCY = 2  # a Space on CPU basic has two cores
WAITING = 32
EXAMPLE = pathlib.Path(__file__).with_name("examples") / "astronaut.jpg"
CSS = """
.face { border-left: 6px solid; padding: 0.2rem 1rem; margin: 0.8rem 0; }
.face h3 { margin: 0.2rem 0; } .face p { margin: 0.3rem 0; }
.warning { border-left: 3px solid #b45309; padding-left: 0.6rem; } .small { font-size: 0.85em; }
.note { font-size: 1.1em; padding: 0.8rem; }
.bar { position: relative; height: 16px; border-radius: 8px; margin-top: 0.5rem;
       background: linear-gradient(to right, #9fb8e8, #e4e4e7, #e8b89f); }
.band { position: absolute; top: 0; bottom: 0; background: #71717a; opacity: 0.55; }
.mark { position: absolute; top: -4px; width: 4px; height: 24px; background: #111827; outline: 1px solid white; }
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


class Photo(gr.Image):
    """An image input that hands over the uploaded file untouched.

    The predictor reads it (EXIF, 16 bit, broken files) and says in a sentence what is wrong with it;
    Gradio's own decoding would answer with an error first.
    """

    is_template = True  # Gradio shows subclasses of its components under the parent's name

    def preprocess(self, payload):
        if payload is not None and payload.path and not (payload.url or "").startswith("data:"):
            return payload.path
        return super().preprocess(payload)


def own_file(component: gr.components.Component, picture: np.ndarray) -> str:
    """Writes a picture to a file of its own in Gradio's cache, from which ``delete_cache`` takes it.

    Gradio names a picture's file by its content and rewrites it for each visitor with the same one, perhaps
    while another downloads it (seen under load: answers cut off at 0 bytes).
    """
    with tempfile.NamedTemporaryFile(dir=component.GRADIO_CACHE, prefix="faces-", suffix=".webp", delete=False) as file:
        component.temp_files.add(file.name)
        PIL.Image.fromarray(picture).save(file, "WEBP")
    return file.name


class ShownPhoto(gr.Image):
    """An image output that shares no file between visitors, see :func:`own_file`."""

    is_template = True

    def postprocess(self, value):
        return super().postprocess(None if value is None else own_file(self, value))


class ShownCrops(gr.Gallery):
    """A gallery that shares no file between visitors, see :func:`own_file`."""

    is_template = True

    def postprocess(self, value):
        return super().postprocess([(own_file(self, crop), caption) for crop, caption in value or []])


class Demo:
    """The page's functions around one model, loaded and warmed.

    A model that cannot be had is no crash: ``problem`` says why, and the page shows it.
    """

    def __init__(self):
        self.predictor, self.card, self.metrics, self.problem = None, "", None, None
        self.pool = concurrent.futures.ThreadPoolExecutor(CONCURRENCY, "predict")
        try:
            folder = find_model_folder()
            self.predictor = load_predictor(folder)
            self.predictor.warm_up()
            self.card = read_card(folder)
            self.metrics = read_metrics(folder)
        except Exception as error:  # no network, no such repo, half a download, other weights, ...
            traceback.print_exc()
            self.problem = f"The model could not be loaded: {error}"

    def predict(self, photo: str | None, all_faces: bool = False):
        """The annotated photo and the list of prediction dicts, most confident face first."""
        try:
            answer = self._within_time(photo, all_faces)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return np.asarray(answer.annotated), answer.faces

    def show(self, photo: str | None, all_faces: bool):
        """What the page shows: annotated photo, answers in words, the crops that the model saw, the data."""
        try:
            answer = self._within_time(photo, all_faces)
        except ValueError as error:
            return None, message(str(error)), [], []
        words = describe_faces(answer.faces, self.predictor.config["decision"], self.metrics)
        if answer.found > len(answer.faces):
            words += message(f"{answer.found} faces were found. Switch on “All faces” to see every one of them.")
        gallery = [(np.asarray(crop), f"face {number}") for number, crop in enumerate(answer.crops, start=1)]
        return np.asarray(answer.annotated), words, gallery, answer.faces

    def _within_time(self, photo: str | None, all_faces: bool) -> "Answer":
        if self.problem:
            raise ValueError(self.problem)
        if not photo:
            raise ValueError("Please choose a photo first.")
        try:
            return self.pool.submit(self._analyse, photo, all_faces).result(REQUEST_SECONDS)
        except TimeoutError:
            raise ValueError(
                f"This took longer than {REQUEST_SECONDS} seconds: the page is busy. Please try again in a minute."
            ) from None

    def _analyse(self, photo: str, all_faces: bool) -> "Answer":
        try:
            image = self.predictor.read(photo)
        except ValueError as error:  # InvalidImageError of the pulled code
            raise ValueError(f"This file cannot be used: {getattr(error, 'reason', error)}.") from error
        analysis = self.predictor.analyse(image, faces="all" if all_faces else "most_confident")
        faces = [prediction.to_dict() for prediction in analysis.predictions]
        return Answer(draw_faces(image, faces), faces, analysis.crops, analysis.found)


@dataclasses.dataclass(frozen=True)
class Answer:
    """One photo's answer: the photo with boxes, a dict and a crop a face, and how many faces there were."""

    annotated: PIL.Image.Image
    faces: list[dict]
    crops: list[PIL.Image.Image]
    found: int


def build(demo: Demo) -> gr.Blocks:
    """The page."""
    cleaning = (min(60, FILE_LIFETIME), FILE_LIFETIME)
    with gr.Blocks(title="Age and perceived gender", analytics_enabled=False, delete_cache=cleaning) as page:
        gr.Markdown("# Age and perceived gender from a face photo")
        if demo.problem:
            gr.HTML(message(demo.problem))
        with gr.Column() as gate:
            gr.Markdown(DISCLAIMER.format(minutes=FILE_LIFETIME / 60))
            accept = gr.Button("I understand", variant="primary", elem_id="accept")
        with gr.Column(visible=False) as main:
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
                    example = gr.Button("Try an example: Eileen Collins (NASA, public domain)", elem_id="example")
                with gr.Column():
                    annotated = ShownPhoto(
                        label="Faces found",
                        interactive=False,
                        buttons=["download", "fullscreen"],
                        alt_text="The photo with a numbered box around every face shown",
                        elem_id="annotated",
                    )
                    words = gr.HTML(elem_id="words")
            with gr.Accordion("What the model saw, and the answer as data", open=False):
                crops = ShownCrops(label="Crops given to the model", columns=4, height="auto")
                faces = gr.JSON(label="Predictions")
            shown = [annotated, words, crops, faces]
            for title in ("Limitations", "Bias", "Out-of-scope use"):
                text = card_section(demo.card, title)
                if text:
                    gr.Markdown(f"## {title}\n\n{text}")
            if demo.metrics:
                with gr.Accordion("Measured errors by group", open=False):
                    gr.Markdown(group_table(demo.metrics))
        accept.click(
            lambda: (gr.Column(visible=False), gr.Column(visible=True)), None, [gate, main], api_visibility="private"
        )
        # One event for all three, and the last state is always answered: with "once", a photo chosen while the
        # answer to the one before (or to its removal) was on its way would never get its own.
        events = {"api_visibility": "private", "concurrency_id": "model", "trigger_mode": "always_last"}
        gr.on([run.click, photo.input, all_faces.input], demo.show, [photo, all_faces], shown, **events)
        example.click(lambda: str(EXAMPLE), None, photo, api_visibility="private").then(
            demo.show, [photo, all_faces], shown, **events
        )
        api = gr.Button(visible=False)
        api.click(demo.predict, [photo, all_faces], [annotated, faces], api_name="predict", concurrency_id="model")
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
    )


if __name__ == "__main__":
    sys.exit(main())
