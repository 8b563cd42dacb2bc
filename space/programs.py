"""For programs: the endpoints ``/predict`` and ``/explain``, and two tools for agents (MCP)."""

import json

import gradio as gr
import numpy as np
from components import Photo, ShownPhoto
from demo import TARGETS, Demo

LONGEST_TEXT = 28_000_000  # characters of base64: 20 MB, as for uploads


def refuse(error: ValueError) -> gr.Error:
    """A sentence as Gradio's error."""
    return gr.Error(str(error), print_exception=False)


class Programs:
    """What programs ask of the page's model."""

    def __init__(self, demo: Demo):
        self.demo = demo

    def predict(self, photo, all_faces=False):
        """The annotated photo and the list of prediction dicts, most confident face first."""
        try:
            answer = self.demo.answer(photo, bool(all_faces))
        except ValueError as error:
            raise refuse(error) from error
        return np.asarray(answer.annotated()), answer.plain()

    def explain(self, photo, target="age", all_faces=False):
        """The photo with the heat map of one answer laid over its faces, and the list of prediction dicts."""
        if target not in TARGETS:
            raise refuse(ValueError(f"target={target!r}: pass one of {', '.join(TARGETS)}."))
        try:
            answer = self.demo.answer(photo, bool(all_faces), (target,))
        except ValueError as error:
            raise refuse(error) from error
        return np.asarray(answer.explained(target)), answer.plain()

    def predict_face(self, photo_base64: str, all_faces: bool = False) -> str:
        """Guesses age and perceived gender of the faces in a photo; the answer is JSON, a list with an object a face.

        The age is a guess, off by four to five years on average and by far more for some people; age_interval holds the
        labelled age for four in five faces. "gender" is how strangers would label the picture, not who a person is;
        female_probability near 0.5 means that the model cannot tell. Never use it to decide anything about a person.

        Args:
            photo_base64: the photo as base64 text or a data URI, at most 20 MB.
            all_faces: all faces, not only the clearest one.
        """
        return json.dumps(self._answer(photo_base64, all_faces).plain())

    def explain_face(self, photo_base64: str, target: str = "age", all_faces: bool = False) -> str:
        """Shows where the network looked when it guessed a face's age or perceived gender; the answer is JSON.

        For each face a 7 by 7 grid over the aligned face, from the top left: for age from -1 (made it younger) to 1
            (older),
        for gender from 0 to 1 (spoke for the side that was called). It does not show why a place counts, nor that the
        answer is right.

        Args:
            photo_base64: the photo as base64 text or a data URI, at most 20 MB.
            target: "age" or "gender".
            all_faces: all faces, not only the clearest one.
        """
        if target not in TARGETS:
            raise refuse(ValueError(f"target={target!r}: pass one of {', '.join(TARGETS)}."))
        answer = self._answer(photo_base64, all_faces, (target,))
        pairs = zip(answer.plain(), answer.faces, strict=True)
        return json.dumps([{"prediction": one, "heat": _grid(face.maps[target])} for one, face in pairs])

    def _answer(self, photo_base64: str, all_faces: bool, targets: tuple[str, ...] = ()):
        try:
            inputs = self.demo.part("pictures.inputs")
            if len(photo_base64) > LONGEST_TEXT:
                raise ValueError("This photo cannot be used: larger than 20 MB.")
            try:
                photo = inputs.from_base64(photo_base64)
            except ValueError as error:
                raise ValueError(f"This photo cannot be used: {getattr(error, 'reason', error)}.") from error
            return self.demo.answer(photo, all_faces, targets)
        except ValueError as error:
            raise refuse(error) from error


def build_programs(demo: Demo) -> None:
    """Components that nobody sees, whose events are the endpoints, and the tools."""
    programs = Programs(demo)
    api, api_explain = gr.Button(visible=False), gr.Button(visible=False)
    photo = Photo(type="filepath", visible=False, label="photo")
    all_faces = gr.Checkbox(visible=False, label="all_faces")
    target = gr.Textbox("age", visible=False, label="target")
    picture, faces = ShownPhoto(visible=False, label="picture"), gr.JSON(visible=False, label="faces")
    # Not "public": Gradio would make a tool of each, whose file it would fetch from any web address it is given.
    events = {"concurrency_id": "model", "api_visibility": "undocumented"}
    api.click(programs.predict, [photo, all_faces], [picture, faces], api_name="predict", **events)
    api_explain.click(programs.explain, [photo, target, all_faces], [picture, faces], api_name="explain", **events)
    gr.api(programs.predict_face, api_name="predict_face", concurrency_id="model")
    gr.api(programs.explain_face, api_name="explain_face", concurrency_id="model")


def _grid(heatmap: np.ndarray) -> list[list[float]]:
    """A map as 7 by 7 means."""
    side = len(heatmap) // 7
    return heatmap[: 7 * side, : 7 * side].reshape(7, side, 7, side).mean(axis=(1, 3)).round(2).tolist()
