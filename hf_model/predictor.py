"""The predictor: photos in, predictions out. Needs neither PyTorch nor transformers."""

import hashlib
import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import PIL.Image

from .faces import Face, FaceDetector, crop_square, overlaps
from .images import InvalidImageError, describe, read_image
from .prediction import Prediction, age_interval, decide_gender
from .preprocessing import preprocess, resize

FACES = ("most_confident", "all", "none")
ENGINES = ("keras", "onnx")
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
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

    def __init__(self, config: dict, forward):
        """Args:
        config: the content of ``config.json``.
        forward: from (N, S, S, 3) float32 network input to ages (N,) and female probabilities (N,).
        """
        self.config = config
        self.detector = FaceDetector(**config["detection"])
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
        if engine not in ENGINES:
            raise ValueError(f"engine={engine!r}: pass one of {', '.join(map(repr, ENGINES))}.")
        folder = pathlib.Path(name_or_path)
        if not folder.is_dir():
            folder = _download(os.fspath(name_or_path), revision=revision, token=token, cache_dir=cache_dir)
        config_path = folder / CONFIG_NAME
        if not config_path.is_file():
            raise FileNotFoundError(f"No {CONFIG_NAME} in {folder}: it is not a folder of this model.")
        config = json.loads(config_path.read_text(encoding="utf-8"))
        compile_engine = _compile_onnx if engine == "onnx" else _compile_keras
        return cls(config, compile_engine(config, folder / WEIGHTS_NAME))

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
        if faces not in FACES:
            raise ValueError(f"faces={faces!r}: pass one of {', '.join(map(repr, FACES))}.")
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error={on_error!r}: pass 'raise' or 'return'.")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: pass a whole number of at least 1.")
        if _is_many(images):
            return self._predict_many(images, faces, batch_size, on_error)
        return self._predict_many([images], faces, batch_size, on_error)[0]

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
        return self._cut(self.read(image), faces)

    def warm_up(self) -> None:
        """Loads the detector and runs everything once, so that the first answer does not wait."""
        self.detector(PIL.Image.new("RGB", (self.detector.working_size,) * 2, "gray"))
        for shape in BATCH_SHAPES:
            self._run(np.zeros((shape, self.size, self.size, 3), np.uint8), shape)

    @property
    def size(self) -> int:
        """Side of the network's input in pixels."""
        return self.config["input"]["size"]

    def _cut(self, image: PIL.Image.Image, faces: str) -> list[tuple[Face | None, PIL.Image.Image]]:
        if faces == "none":
            return [(None, image)]
        crop = self.config["crop"]
        found = [face for face in self.detector(image) if overlaps(image, face, crop)]
        if faces == "most_confident":
            found = found[:1]
        return [(face, crop_square(image, face, crop)) for face in found]

    def _predict_many(self, images: Iterable, faces: str, batch_size: int, on_error: str) -> list:
        results: list = []
        waiting: list[np.ndarray] = []  # network inputs not yet run
        places: list[tuple[int, Face | None, tuple[int, int]]] = []

        def run_waiting() -> None:
            if not waiting:
                return
            ages, probabilities = self._run(np.stack(waiting), batch_size)
            for (index, face, size), age, probability in zip(places, ages, probabilities, strict=True):
                results[index].append(self._prediction(float(age), float(probability), face, size))
            waiting.clear()
            places.clear()

        for index, image in enumerate(images):
            try:
                upright = self.read(image)
                results.append([])
                for face, crop in self._cut(upright, faces):
                    waiting.append(resize(crop, self.size, self.config["input"]["resample"]))
                    places.append((index, face, upright.size))
            except InvalidImageError as error:
                if on_error == "raise":
                    raise
                results.append(error)
            if len(waiting) >= batch_size:
                run_waiting()
        run_waiting()
        return results

    def _run(self, pixels: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, S, S, 3) uint8 through the network in fixed batch shapes; ages (N,), probabilities (N,)."""
        ages, probabilities = [], []
        start = 0
        while start < len(pixels):
            most = min(batch_size, len(pixels) - start)
            shape = next(shape for shape in BATCH_SHAPES if shape <= most)
            age, probability = self._forward(preprocess(pixels[start : start + shape]))
            ages.append(age)
            probabilities.append(probability)
            start += shape
        return np.concatenate(ages), np.concatenate(probabilities)

    def _prediction(
        self, age: float, female_probability: float, face: Face | None, size: tuple[int, int]
    ) -> Prediction:
        return Prediction(
            age=age,
            age_interval=age_interval(age, self.config.get("age_interval")),
            gender=decide_gender(female_probability, **self.config["decision"]),
            female_probability=female_probability,
            box=face.clipped(*size) if face else None,
            detection_score=face.score if face else None,
        )


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


def _download(repo: str, **options) -> pathlib.Path:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        files = [CONFIG_NAME, WEIGHTS_NAME]
        return pathlib.Path(huggingface_hub.snapshot_download(repo, allow_patterns=files, **options))
    except HFValidationError:
        raise FileNotFoundError(
            f"No folder {repo!r}, and it cannot be a Hub repo either (those are 'user/name')."
        ) from None
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(f"{repo!r} is not on this disk and the Hub could not be reached: {error}") from error
    except HfHubHTTPError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "refused"
        raise FileNotFoundError(
            f"No folder {repo!r}, and the Hub did not give a model of that name: {reason}"
        ) from error


def _load_model(config: dict, weights: pathlib.Path):
    """The Keras model with its weights, on the TensorFlow backend."""
    # Here, not above: importing this module must not load TensorFlow.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    from .architecture import build_model
    from .weights import load_weights

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"The predictor runs on Keras's TensorFlow backend, not on {keras.backend.backend()!r}: "
            "unset KERAS_BACKEND before starting Python."
        )
    model = build_model(config["heads"], config["input"]["size"])
    load_weights(model, weights)
    return model


def _compile_keras(config: dict, weights: pathlib.Path):
    """The default engine: the Keras model, BatchNorm folded, as one compiled TensorFlow function."""
    model = _load_model(config, weights)
    import tensorflow

    from .folding import fold_model, run_model

    folded = {name: tuple(map(tensorflow.constant, values)) for name, values in fold_model(model).items()}

    @tensorflow.function
    def run(batch):
        outputs = run_model(folded, batch)
        return outputs["age"][:, 0], outputs["gender"][:, 0]

    def forward(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ages, probabilities = run(tensorflow.constant(batch))  # traced when a batch shape is first seen
        return ages.numpy(), probabilities.numpy()

    return forward


def _compile_onnx(config: dict, weights: pathlib.Path):
    """The optional engine: the graph that Keras's own export writes, run by ONNX Runtime."""
    try:
        import onnxruntime
        import tf2onnx  # noqa: F401  (used by Keras's export)
    except ImportError as error:
        raise ImportError(
            f"engine='onnx' needs a package that is not installed ({error.name}): pip install onnxruntime tf2onnx"
        ) from error
    graph = _exported_graph(config, weights)
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    pixels = session.get_inputs()[0].name

    def forward(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ages, probabilities = session.run(["age", "gender"], {pixels: batch})
        return ages[:, 0], probabilities[:, 0]

    return forward


def _exported_graph(config: dict, weights: pathlib.Path) -> pathlib.Path:
    """The ONNX file of these weights; exported at most once, and never seen half-written."""
    if not weights.is_file():  # said as for the default engine
        _load_model(config, weights)
    import huggingface_hub

    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([config["heads"], config["input"]["size"]]).encode())
    folder = huggingface_hub.cached_assets_path("age-gender-face", namespace="onnx", subfolder=digest.hexdigest()[:32])
    graph = folder / "model.onnx"
    if not graph.is_file():
        model = _load_model(config, weights)
        import keras

        size = config["input"]["size"]
        signature = [keras.InputSpec(shape=(None, size, size, 3), dtype="float32", name="pixels")]
        with tempfile.TemporaryDirectory(dir=folder) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf2onnx on numpy 2
            partial = pathlib.Path(temporary) / "model.onnx"
            model.export(str(partial), format="onnx", verbose=False, input_signature=signature)
            os.replace(partial, graph)
    return graph
