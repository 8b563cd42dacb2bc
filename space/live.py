"""The tab with the webcam: faces kept apart by number, their answers smoothed over the frames. Nothing is recorded."""

import base64
import binascii
import dataclasses
import io
import time

import gradio as gr
import numpy as np
import PIL.Image
from boxes import colour_of
from demo import Demo
from face_card import message
from photo import CONSENT

STREAMS = 8  # visitors before a camera at once; their frames share the threads of Demo.within_time
STREAM_SECONDS = 120  # of answering, after which a visitor presses the button again
STILL_SECONDS = 60.0  # without movement, after which it stops
MOVES_FROM = 3.0  # mean change of the brightness, of 255, that counts as movement
LONGEST_SIDE = 640
LONGEST_FRAME = 2_000_000  # characters of a frame's data URI
FRAMES = 20  # whose spread is told
STOPPED = "Stopped: nothing moved for a minute. Press “Start camera” to go on."
RESTED = "Stopped after two minutes, so that others get their turn. Press “Start camera” to go on."
CAMERA = f"""<div class="card own"><p>Your camera, <b>not recorded</b>: every half second one frame is analysed and then deleted. Faces are followed
by position only. Nobody is recognised. It stops after a minute without movement.</p>{CONSENT}
<div class="row"><button type="button" class="press first" id="live-start">Start camera</button>
<button type="button" class="press" id="live-stop" hidden>Stop camera</button></div><p id="live-told" class="told" role="status"></p></div>
<div class="stage" hidden><video id="live-video" playsinline muted aria-label="Your camera"></video><div id="live-boxes"></div></div>"""
# The page's script hands each frame to the component, whose event carries it here.
SEND = "window.sendFrame = (frame) => trigger('input', { frame });"


@dataclasses.dataclass
class Watch:
    """What is remembered of one visitor's camera: the tracker, the last picture, when something last moved, when it
    began."""

    tracker: object
    small: np.ndarray | None = None
    moved_at: float = dataclasses.field(default_factory=time.monotonic)
    began_at: float = dataclasses.field(default_factory=time.monotonic)
    ages: dict[int, list[float]] = dataclasses.field(default_factory=dict)

    def still(self, frame: PIL.Image.Image) -> bool:
        """Whether nothing has moved for long."""
        small = np.asarray(frame.convert("L").resize((32, 24))).astype(np.float32)
        if self.small is None or float(np.abs(small - self.small).mean()) > MOVES_FROM:
            self.small, self.moved_at = small, time.monotonic()
        return time.monotonic() - self.moved_at > STILL_SECONDS


def read_frame(data: object) -> PIL.Image.Image:
    """A frame from its data URI.

    Raises:
        ValueError: it is none.
    """
    try:
        if not isinstance(data, str) or len(data) > LONGEST_FRAME or not data.startswith("data:image/jpeg;base64,"):
            raise ValueError
        picture = PIL.Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2], validate=True)), formats=["JPEG"])
        if max(picture.size) > 2 * LONGEST_SIDE:
            raise ValueError
        picture = picture.convert("RGB")
    except (ValueError, OSError, binascii.Error) as error:
        raise ValueError("This frame of the camera cannot be used.") from error
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return picture


def overlay(found: list, size: tuple[int, int]) -> str:
    """Boxes with numbers as SVG, laid over the camera's picture of that size."""
    marks = []
    for number, prediction in found:
        box, colour = prediction.box, colour_of(number)
        marks.append(
            f'<rect x="{box["xmin"]}" y="{box["ymin"]}" width="{box["xmax"] - box["xmin"]}" '
            f'height="{box["ymax"] - box["ymin"]}" '
            f'fill="none" stroke="{colour}" stroke-width="4"/><text x="{box["xmin"]}" y="{max(box["ymin"] - 8, 24)}" '
            f'fill="white" '
            f'stroke="{colour}" stroke-width="6" paint-order="stroke" font-size="24" font-weight="700">{number}</text>'
        )
    return f'<svg class="boxes" viewBox="0 0 {size[0]} {size[1]}" aria-hidden="true">{"".join(marks)}</svg>'


def answer_frame(frame: object, watch: Watch) -> str:
    """One frame's faces as HTML: a card a face with its spread over the last frames, and the boxes, which the page lays
    over."""
    photo = read_frame(frame)
    if watch.still(photo):
        return f"<div data-stop>{message(STOPPED)}</div>"
    if time.monotonic() - watch.began_at > STREAM_SECONDS:
        return f"<div data-stop>{message(RESTED)}</div>"
    found = watch.tracker(photo)
    lines = []
    for number, prediction in found:
        ages = watch.ages.setdefault(number, [])
        ages.append(prediction.age)
        del ages[:-FRAMES]
        low, high = min(ages), max(ages)
        sure = max(prediction.female_probability, 1 - prediction.female_probability)
        gender = (
            "gender uncertain" if prediction.gender == "uncertain" else f"perceived as {prediction.gender}, {sure:.0%}"
        )
        lines.append(
            f'<section class="card face" style="--face:{colour_of(number)}"><h2><span '
            f'class="number">{number}</span>Face {number}</h2>'
            f'<p class="age">about <b>{prediction.age:.0f}</b> years</p><p class="said">{gender}</p>'
            f'<p class="small">Last {len(ages)} frames: {low:.0f} to {high:.0f} years.</p></section>'
        )
    told = f'<div class="several">{"".join(lines)}</div>' if lines else message("No face in this frame.")
    return f'<div data-frame="{time.monotonic_ns()}">{told}{overlay(found, photo.size)}</div>'


def build_live(demo: Demo) -> None:
    """The tab's components and events."""
    with gr.Column(elem_id="live-tab"):
        camera = gr.HTML(html_template=CAMERA, js_on_load=SEND, elem_id="camera")
        shown = gr.HTML(elem_id="live")
    state = gr.State(time_to_live=STREAM_SECONDS * 2)

    def frame(watch, event: gr.EventData):
        sent = getattr(event, "frame", None)
        try:
            if demo.problem:
                raise ValueError(demo.problem)
            if watch is None:
                watch = Watch(demo.part("tracking").FaceTracker(demo.watching))
            told = demo.within_time(answer_frame, sent, watch)
        except ValueError as error:
            return message(str(error)), watch
        return told, None if "data-stop" in told else watch

    camera.input(
        frame,
        [state],
        [shown, state],
        concurrency_id="live",
        concurrency_limit=STREAMS,
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="once",
    )
