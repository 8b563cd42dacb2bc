"""The tab with the webcam: faces kept apart by number, their answers smoothed over the frames. Nothing is recorded."""

import dataclasses
import time

import gradio as gr
import numpy as np
import PIL.Image
from charts import data_uri
from demo import Demo
from presentation import draw_faces, message

EVERY = 0.5  # seconds between frames
STREAMS = 8  # visitors before a camera at once; their frames share the threads of Demo.within_time
STREAM_SECONDS = 120  # of computing, after which a visitor presses the button again
STILL_SECONDS = 60.0  # without movement, after which it stops
MOVES_FROM = 3.0  # mean change of the brightness, of 255, that counts as movement
LONGEST_SIDE = 640
STOPPED = "Stopped: nothing moved for a minute. Press the button again to go on."


@dataclasses.dataclass
class Watch:
    """What is remembered of one visitor's stream: the tracker, the last picture, and when something last moved."""

    tracker: object
    small: np.ndarray | None = None
    moved_at: float = dataclasses.field(default_factory=time.monotonic)
    ages: dict[int, list[float]] = dataclasses.field(default_factory=dict)

    def still(self, frame: PIL.Image.Image) -> bool:
        """Whether nothing has moved for long."""
        small = np.asarray(frame.convert("L").resize((32, 24))).astype(np.float32)
        if self.small is None or float(np.abs(small - self.small).mean()) > MOVES_FROM:
            self.small, self.moved_at = small, time.monotonic()
        return time.monotonic() - self.moved_at > STILL_SECONDS


def answer_frame(frame: np.ndarray, watch: Watch) -> str:
    """One frame's faces as HTML: the picture with boxes, and a line a face with its spread over the last frames."""
    photo = PIL.Image.fromarray(frame)
    photo.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if watch.still(photo):
        return message(STOPPED)
    found = watch.tracker(photo)
    dicts = [prediction.to_dict() for _, prediction in found]
    numbers = [number for number, _ in found]
    lines = []
    for number, prediction in found:
        ages = watch.ages.setdefault(number, [])
        ages.append(prediction.age)
        del ages[:-20]
        lines.append(
            f"<li><b>Face {number}:</b> about {prediction.age:.0f} years (last {len(ages)} frames: {min(ages):.0f} to {max(ages):.0f}), "
            f"perceived gender {prediction.gender}, P(female) {prediction.female_probability:.0%}</li>"
        )
    drawn = draw_faces(photo, dicts, numbers=numbers)
    told = "".join(lines) or "<li>No face in this frame.</li>"
    return f'<img class="live" src="{data_uri(drawn)}" alt="The camera\'s picture with a box around every face"><ul>{told}</ul>'


def build_live(demo: Demo) -> None:
    """The tab's components and events."""
    gr.Markdown(
        "Your camera, **not recorded**: a frame every half second is answered and forgotten. Faces are told apart by their "
        "place alone; nobody is recognised. It stops after a minute without movement."
    )
    with gr.Row():
        camera = gr.Image(
            label="Camera", sources=["webcam"], streaming=True, type="numpy", elem_id="camera", alt_text="Your camera"
        )
        shown = gr.HTML(message("Press the camera's button to begin."), elem_id="live")
    state = gr.State(time_to_live=600)

    def frame(picture, watch):
        if picture is None:
            return gr.skip(), watch
        try:
            if watch is None:
                watch = Watch(demo.part("tracking").FaceTracker(demo.predictor))
            return demo.within_time(answer_frame, picture, watch), watch
        except ValueError as error:
            return message(str(error)), watch

    camera.stream(
        frame,
        [camera, state],
        [shown, state],
        stream_every=EVERY,
        concurrency_id="live",
        concurrency_limit=STREAMS,
        time_limit=STREAM_SECONDS,
        api_visibility="private",
        show_progress="hidden",
    )
