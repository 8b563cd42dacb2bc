"""The predictor: photos in, predictions out. Needs neither PyTorch nor transformers."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import PIL.Image

from .download import find_model, read_config
from .engines import Forward, KerasEngine, make_engine
from .faces import Face, FaceDetector, crop_square, overlaps
from .images import InvalidImageError, describe, read_image
from .prediction import Analysis, Prediction, age_interval, calibrated, decide_gender
from .preprocessing import preprocess, resize

FACES = ("most_confident", "all", "none")
# A call's crops go through the network in batches of these shapes, the largest first, so that nothing is retraced and
# nothing padded. 32 takes more memory and gained a few per cent on one processor, and lost a tenth on another
# (benchmarks/predictor.json).
BATCH_SHAPES = (8, 4, 2, 1)


class AgeGenderPredictor:
    """Predicts age and perceived gender for the faces in photos.

    Make one with :meth:`from_pretrained`; it may be shared between threads.

    Example:
        >>> predictor = AgeGenderPredictor.from_pretrained("hf_model")
        >>> predictor("photo.jpg", faces="all")
    """

    def __init__(self, config: dict, forward: Forward, engine: KerasEngine | None = None):
        """Args:
        config: the content of ``config.json``.
        forward: the network, as an engine loads it.
        engine: who runs the detector's networks; by default Keras.
        """
        self.config = config
        self.detector = FaceDetector(**config["detection"], engine=engine)
        self._forward = forward

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike | None = None,
        engine: str = "keras",
    ) -> "AgeGenderPredictor":
        """Loads a model from a folder, or from the Hub by ``"user/repo"``.

        Args:
            name_or_path: a folder with ``config.json`` and ``model.safetensors``, or a repo id.
            revision: branch, tag or commit of the repo.
            token: for private repos; by default the stored login.
            cache_dir: where downloads are kept.
            engine: ``"keras"`` (on TensorFlow), or ``"onnx"``: ONNX Runtime, on a graph that Keras
                exports once for these weights and that is kept in huggingface_hub's assets cache.

        Raises:
            FileNotFoundError: neither such a folder nor such a repo, or files are missing in it.
            WeightsError: the weights do not fit.
            ImportError: ``engine="onnx"`` without its packages.
            ValueError: an unknown engine.
        """
        made = make_engine(engine)
        folder = find_model(name_or_path, revision=revision, token=token, cache_dir=cache_dir)
        config = read_config(folder)
        return cls(config, made.load(config, folder), made)

    def __call__(self, images, *, faces: str = "most_confident", batch_size: int = 32, on_error: str = "raise"):
        """Predicts for one photo, or for a list of photos.

        Args:
            images: a path, bytes, binary file, PIL image or (H, W, 3) uint8 RGB array; or a list
                (or tuple, or generator) of these.
            faces: ``"most_confident"``, ``"all"`` (sorted by score), or ``"none"``: the photo is a
                face chip already and no detector runs.
            batch_size: how many crops are gathered before they go through the network, at most.
            on_error: ``"raise"``, or ``"return"`` to put the :class:`InvalidImageError` of a bad
                photo in its place in the list and carry on.

        Returns:
            A list of :class:`Prediction`, empty where no face is found; for a list of photos, a
            list of such lists.

        Raises:
            InvalidImageError: a photo that cannot be used, with ``on_error="raise"``.
            ValueError: an unknown option.
        """
        _check_faces(faces)
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error={on_error!r}: pass 'raise' or 'return'.")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: pass a whole number of at least 1.")
        if _is_many(images):
            return self._predict_many(images, faces, batch_size, on_error)
        return self._predict_many([images], faces, batch_size, on_error)[0]

    def analyse(self, image, *, faces: str = "most_confident") -> Analysis:
        """Predicts for one photo as a call does, and gives what the answer rests on beside it.

        Args:
            image, faces: as in a call.

        Raises:
            InvalidImageError: a photo that cannot be used.
            ValueError: an unknown option.
        """
        _check_faces(faces)
        upright = self.read(image)
        wanted, found = self._find(upright, faces)
        pixels = [self._pixels(upright, face) for face in wanted]
        outputs = self._run(np.stack(pixels), len(pixels)) if pixels else {}
        predictions = [self._prediction(outputs, row, face, upright.size) for row, face in enumerate(wanted)]
        return Analysis(predictions, [PIL.Image.fromarray(crop) for crop in pixels], found)

    def read(self, image) -> PIL.Image.Image:
        """The upright RGB picture as the predictor sees it; ``Prediction.box`` is in its pixels.

        Raises:
            InvalidImageError: a photo that cannot be used.
        """
        return read_image(image, self.config["input"]["max_pixels"])

    def crops(self, image, *, faces: str = "most_confident") -> list[tuple[Face | None, PIL.Image.Image]]:
        """The faces of a photo with the square crops that the network is shown.

        Raises:
            InvalidImageError: a photo that cannot be used.
        """
        upright = self.read(image)
        return [(face, self._crop(upright, face)) for face in self._find(upright, faces)[0]]

    def warm_up(self) -> None:
        """Loads the detector and runs everything once, so that the first answer does not wait."""
        self.detector(PIL.Image.new("RGB", (self.detector.working_size,) * 2, "gray"))
        for shape in BATCH_SHAPES:
            self._run(np.zeros((shape, self.size, self.size, 3), np.uint8), shape)

    @property
    def size(self) -> int:
        """Side of the network's input in pixels."""
        return self.config["input"]["size"]

    def _find(self, image: PIL.Image.Image, faces: str) -> tuple[list[Face | None], int]:
        """The faces asked for, None for a picture that is one, and how many the photo has."""
        if faces == "none":
            return [None], 1
        found: list[Face | None] = [f for f in self.detector(image) if overlaps(image, f, self.config["crop"])]
        return (found[:1] if faces == "most_confident" else found), len(found)

    def _crop(self, image: PIL.Image.Image, face: Face | None) -> PIL.Image.Image:
        return crop_square(image, face, self.config["crop"]) if face else image

    def _pixels(self, image: PIL.Image.Image, face: Face | None) -> np.ndarray:
        """(S, S, 3) uint8: a face as the network is shown it."""
        return resize(self._crop(image, face), self.size, self.config["input"]["resample"])

    def _predict_many(self, images: Iterable, faces: str, batch_size: int, on_error: str) -> list:
        results: list = []
        waiting: list[np.ndarray] = []  # network inputs not yet run
        places: list[tuple[int, Face | None, tuple[int, int]]] = []

        def run_waiting() -> None:
            if not waiting:
                return
            outputs = self._run(np.stack(waiting), batch_size)
            for row, (index, face, size) in enumerate(places):
                results[index].append(self._prediction(outputs, row, face, size))
            waiting.clear()
            places.clear()

        for index, image in enumerate(images):
            try:
                upright = self.read(image)
                results.append([])
                for face in self._find(upright, faces)[0]:
                    waiting.append(self._pixels(upright, face))
                    places.append((index, face, upright.size))
            except InvalidImageError as error:
                if on_error == "raise":
                    raise
                results.append(error)
            if len(waiting) >= batch_size:
                run_waiting()
        run_waiting()
        return results

    def _run(self, pixels: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
        """(N, S, S, 3) uint8 through the network in fixed batch shapes; the outputs of N rows by name."""
        outputs = []
        start = 0
        while start < len(pixels):
            most = min(batch_size, len(pixels) - start)
            shape = next(shape for shape in BATCH_SHAPES if shape <= most)
            outputs.append(self._forward(preprocess(pixels[start : start + shape])))
            start += shape
        return {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}

    def _prediction(
        self, outputs: dict[str, np.ndarray], row: int, face: Face | None, size: tuple[int, int]
    ) -> Prediction:
        """The answer in one row of the network's outputs, for a face of an image of that size."""
        age, female = float(outputs["age"][row]), float(outputs["gender"][row])
        female_probability = calibrated(female, self.config.get("gender_calibration"))
        distribution = outputs["age_distribution"][row] if "age_distribution" in outputs else None
        return Prediction(
            age=age,
            age_interval=age_interval(age, distribution, self.config.get("age_interval")),
            gender=decide_gender(female_probability, **self.config["decision"]),
            female_probability=female_probability,
            box=face.clipped(*size) if face else None,
            detection_score=face.score if face else None,
            age_distribution=distribution,
        )


def _check_faces(faces: str) -> None:
    if faces not in FACES:
        raise ValueError(f"faces={faces!r}: pass one of {', '.join(map(repr, FACES))}.")


def _is_many(images) -> bool:
    if isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike, np.ndarray, PIL.Image.Image)):
        return False
    if hasattr(images, "read"):
        return False
    if isinstance(images, Iterable) and not isinstance(images, Mapping):
        return True
    raise InvalidImageError(
        describe(images), "pass a path, bytes, a binary file, a PIL image or a uint8 array (H, W, 3)"
    )
