"""Gradio's components as this page needs them: uploads untouched, answers in files of their own."""

import tempfile

import gradio as gr
import numpy as np
import PIL.Image


class Photo(gr.Image):
    """An image input that hands over the uploaded file untouched, and fetches nothing.

    The predictor reads it (EXIF, 16 bit, broken files) and says in a sentence what is wrong with it;
    Gradio's own decoding would answer with an error first.
    """

    is_template = True  # Gradio shows subclasses of its components under the parent's name

    def preprocess(self, payload):
        if payload is not None and payload.path and not (payload.url or "").startswith("data:"):
            return payload.path
        return super().preprocess(payload)


class PhotoUpload(gr.UploadButton):
    """A file input that hands over the uploaded file itself, which ``delete_cache`` takes; Gradio would make a copy
    that stays."""

    is_template = True

    def preprocess(self, payload):
        return None if payload is None else payload.path


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
