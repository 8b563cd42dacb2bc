"""What a user would write first: MTCNN on the full photo, the same crop, and ``model.predict`` of the Keras model."""

import pathlib

import numpy as np
import PIL.Image

MODEL = pathlib.Path("hf_model")


class Straightforward:
    """What a user would write first."""

    def __init__(self, predictor):
        import mtcnn

        from hf_model.network.architecture import build_model
        from hf_model.network.weights import load_weights

        self.settings = predictor.settings
        self.refine = predictor.detector.refine  # a part of "the same crop"
        self.detector = mtcnn.MTCNN()
        self.model = build_model(self.settings.heads, self.settings.input.size)
        load_weights(self.model, MODEL / "model.safetensors")

    def photo(self, photo: PIL.Image.Image) -> tuple[dict, float]:
        """Box and age of the most confident face."""
        from hf_model.faces.face import Face, chip_square
        from hf_model.pictures.alignment import cut

        best = max(self.detector.detect_faces(np.asarray(photo)), key=lambda item: item["confidence"])
        (face,) = self.refine(photo, [Face.from_mtcnn(best)])
        crop = cut(photo, chip_square(face, self.settings.crop), self.settings.input.size)
        return face.clipped(*photo.size), self.chip(crop)

    def chip(self, chip: PIL.Image.Image) -> float:
        """Age of a chip."""
        from hf_model.network.preprocessing import preprocess
        from hf_model.pictures.resize import resize

        size = self.settings.input.size
        answer = self.model.predict(preprocess(resize(chip, size)[None]), verbose=0)
        return float(answer["age"][0, 0])
