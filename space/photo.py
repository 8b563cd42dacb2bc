"""The first tab: an answer at first sight, and a photo of one's own in its place."""

import html
import os
import time

import gradio as gr
from charts import data_uri, figure, heat_over, legend
from components import PhotoUpload
from demo import TARGETS, Answer, Demo
from face_card import describe_faces, message
from guess import compare, judge
from notes import beside_answer

LIFETIME = int(os.environ.get("FILE_LIFETIME_SECONDS", "300"))  # of a photo and of all that is kept of it
SHOWN_SIDE = 1280  # pixels of the photo in the page
CAPTIONS = {
    "age": "Age: what made it older or younger.",
    "gender": "Gender: what pointed to this answer.",
}
NOT_SHOWN = (
    "A heat map shows where the answer would move if the picture changed there. It does not show why a place counts, "
    "what the network sees in it, or that the answer is right."
)
FORGOTTEN = "This photo was forgotten after its {minutes:g} minutes. Please choose it again."
AGREED = "I may use this photo and won't use the result to decide anything about anyone"
CONSENT = f'<label class="consent"><input type="checkbox" aria-label="{AGREED}"><span>{AGREED}.</span></label>'
OWN = f"""<div class="card own"><h2>Try your own photo</h2>
<div class="row"><button type="button" class="press first" id="own-choose">Choose a photo</button>
<button type="button" class="press" id="own-camera">Take a photo</button></div>
<input type="file" id="own-file" accept="image/*,.heic,.heif,.avif" hidden aria-label="Photo">
{CONSENT}
<p id="told" class="told" role="status"></p>
<p class="small">Or drop or paste one anywhere. JPEG, PNG, HEIC, WebP and others, up to 20 MB and 50 megapixels. It is deleted after
{LIFETIME / 60:g} minutes, nothing is logged, and no other server is contacted.</p></div>
<dialog class="camera" id="camera-box" aria-label="Take a photo"><video playsinline muted aria-label="Your camera"></video>
<p id="camera-told" role="status"></p><div class="row"><button type="button" class="press first" id="camera-take">Take the photo</button>
<button type="button" class="press" id="camera-cancel">Cancel</button></div></dialog>"""


def forgotten() -> str:
    """The sentence for what is asked of a photo that is no longer kept."""
    return FORGOTTEN.format(minutes=LIFETIME / 60)


def why(answer: Answer) -> str:
    """The maps of every face as HTML, with what they do not show."""
    several = len(answer.faces) > 1
    figures = [
        figure(
            heat_over(face.crop, face.maps[target], target),
            f"{f'Face {number}, ' if several else ''}{CAPTIONS[target]}",
            f"Face {number} with a heat map of the {target}",
        )
        for number, face in enumerate(answer.faces, start=1)
        for target in TARGETS
        if target in face.maps
    ]
    return f'<div class="maps">{"".join(figures)}</div>{legend()}<p class="small">{NOT_SHOWN}</p>' if figures else ""


def picture_of(answer: Answer, caption: str = "") -> str:
    """The photo with its boxes, as HTML."""
    told = ", ".join(f"about {face['age']:.0f} years" for face in answer.predictions[:3]) or "no face found"
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return (
        f'<figure class="card photo"><img src="{data_uri(answer.annotated(SHOWN_SIDE))}" '
        f'alt="The photo, every face found in a box: {told}">{below}</figure>'
    )


def words_of(demo: Demo, answer: Answer) -> str:
    """The answers and the notes beside them, as HTML."""
    faces, crops = answer.predictions, [face.crop for face in answer.faces]
    words = describe_faces(faces, crops, demo.predictor.settings, demo.metrics, answer.found)
    return f'<div data-answer="{time.monotonic_ns()}">{words}{beside_answer(faces, demo.metrics)}</div>'


def refused(error: ValueError) -> str:
    return f'<div data-answer="{time.monotonic_ns()}">{message(str(error))}</div>'


class PhotoTab:
    """The tab's components, events, and what other tabs ask of it.

    Args:
        demo: answers.
        examples: paths and titles; the first is answered when the page starts.
    """

    def __init__(self, demo: Demo, examples: list):
        self.demo, self.examples = demo, examples
        self.first: Answer | None = None
        shown, words, data = "", message(demo.problem) if demo.problem else "", []
        if not demo.problem:
            path, title = examples[0]
            answer = demo.answer(str(path), False, TARGETS, True)
            shown, words, data = picture_of(answer, title), words_of(demo, answer), answer.plain()
            self.first = answer.without_photo()
        # What is known of the photo shown: "" is the first example, else the file's path; and its answer, for as long
        # as it lives.
        self.path, self.answer = gr.State(""), gr.State(time_to_live=LIFETIME)
        with gr.Column(elem_id="photo-tab"):
            with gr.Column(elem_id="left"):
                self.shown = gr.HTML(shown, elem_id="shown")
            with gr.Column(elem_id="right"):
                self._build_guess()
                self.words = gr.HTML(words, elem_id="answer")
            with gr.Column(elem_id="own"):
                self._build_own()
            with gr.Column(elem_id="rest"):
                with gr.Accordion("Why: where the network looked", open=False, elem_id="why-box") as self.why_box:
                    self.reasons = gr.HTML(elem_id="why")
                with gr.Accordion("The answer as data", open=False):
                    self.data = gr.JSON(data, show_label=False)
        self._wire()

    def kept(self, path: str, answer: Answer | None) -> Answer | None:
        """The answer that is shown, None where it was forgotten."""
        return answer if path or answer else self.first

    def _build_own(self) -> None:
        gr.HTML(OWN)
        self.upload = PhotoUpload("Upload", visible="hidden", elem_id="upload")
        with gr.Row():
            self.all_faces = gr.Checkbox(label="Show all faces", container=False, elem_id="all-faces")
            self.guessing = gr.Checkbox(label="Let me guess first", container=False, elem_id="guess-first")
        with gr.Row(elem_id="examples"):
            self.buttons = [
                gr.Button(title, elem_id=f"example-{number}", icon=str(path), size="sm")
                for number, (path, title) in enumerate(self.examples)
            ]
        gr.HTML(
            '<p class="small">One woman in all three: Eileen Collins, photographed by NASA, in the public domain.</p>'
        )

    def _build_guess(self) -> None:
        with gr.Group(visible=False, elem_id="guess-box") as self.guess_box:
            self.guess = gr.Number(label="How old do you think the first face is?", minimum=0, maximum=116, precision=0)
            self.is_true = gr.Checkbox(label="I know the true age: this is it", elem_id="is-true")
            self.reveal = gr.Button("Compare with the model", variant="primary", elem_id="reveal")
        self.compared = gr.HTML(elem_id="compared")

    def _wire(self) -> None:
        events = {"api_visibility": "private", "concurrency_id": "model", "trigger_mode": "always_last"}
        seen = [self.shown, self.words, self.data, self.path, self.answer, self.guess_box, self.compared, self.guess]
        outputs = [*seen, self.reasons, self.why_box]
        switches = [self.all_faces, self.guessing]
        self.upload.upload(self.show, [self.upload, *switches], outputs, **events)
        for button, (path, title) in zip(self.buttons, self.examples, strict=True):

            def example(all_faces, guessing, path=path, title=title):
                return self.show(str(path), all_faces, guessing, title)

            button.click(example, switches, outputs, **events)
        self.all_faces.input(self.show, [self.path, *switches], outputs, **events)
        quick = {"api_visibility": "private", "show_progress": "hidden"}
        self.guessing.input(
            self.switch, [self.guessing, self.path, self.answer], [self.words, self.guess_box, self.compared], **quick
        )
        known = [self.guess, self.is_true, self.path, self.answer]
        gr.on([self.reveal.click, self.guess.submit], self.revealed, known, [self.words, self.compared], **quick)
        self.why_box.expand(self.explained, [self.path, self.answer], self.reasons, **quick)

    def show(self, path: str, all_faces: bool, guessing: bool, caption: str = ""):
        """What the tab shows for a photo: its components' values, with the answer for the other tabs."""
        path = path or str(self.examples[0][0])
        closed = gr.Accordion(open=False)
        try:
            if os.path.isabs(path) and not os.path.exists(path):
                raise ValueError(forgotten())
            answer = self.demo.answer(path, all_faces, TARGETS, True)
        except ValueError as error:
            return "", refused(error), [], path, None, gr.Group(visible=False), "", None, "", closed
        hidden = guessing and bool(answer.faces)
        words, data = words_of(self.demo, answer), answer.plain()
        if hidden:
            words, data = waiting(words), []
        kept = answer.without_photo()  # a photo of 50 megapixels is not held for minutes
        return picture_of(answer, caption), words, data, path, kept, gr.Group(visible=hidden), "", None, "", closed

    def switch(self, guessing: bool, path: str, answer: Answer | None):
        """The answer hidden until a guess, or shown."""
        answer = self.kept(path, answer)
        if answer is None:
            return message(forgotten()), gr.Group(visible=False), ""
        words = words_of(self.demo, answer)
        hidden = guessing and bool(answer.faces)
        return waiting(words) if hidden else words, gr.Group(visible=hidden), ""

    def revealed(self, guess: float | None, is_true: bool, path: str, answer: Answer | None):
        """The answer beside what was typed."""
        answer = self.kept(path, answer)
        if answer is None:
            return message(forgotten()), ""
        if guess is None:
            return gr.skip(), '<p class="said" role="status">Type an age first.</p>'
        age = answer.predictions[0]["age"]
        told = (judge if is_true else compare)(float(guess), age, self.demo.metrics)
        return words_of(self.demo, answer), told

    def explained(self, path: str, answer: Answer | None) -> str:
        """The heat maps, made when they are asked for from the maps of the one pass."""
        answer = self.kept(path, answer)
        if answer is None:
            return message(forgotten())
        return why(answer) or message("No face, no heat map.")


def waiting(words: str) -> str:
    """In the place of an answer that waits for a guess."""
    mark = words.split('"', 2)[1]
    return f'<div data-answer="{mark}">{message("The answer waits for your guess.")}</div>'
