"""The predictor: photos in, predictions out. Needs neither PyTorch nor transformers."""

import collections
import os
from collections.abc import Iterable, Iterator

import numpy as np
import PIL.Image

from .download import find_model, read_config
from .faces.cropping import FaceCrop, FaceCropper
from .faces.detector import DetectorSettings, FaceDetector
from .faces.face import Face
from .network.engine import Engine, Forward
from .network.engines import choose_engine, graph_wanted, make_engine
from .network.heat_maps import TARGETS, heat_map, read_heads
from .network.keras_engine import KerasEngine
from .network.preprocessing import preprocess
from .pictures.images import InvalidImageError, is_many, read_image
from .pictures.reading_ahead import calls_ahead
from .pictures.self_contained import make_self_contained
from .portable import Portable
from .prediction import Analysis, Explanation, Prediction, make_prediction

FACES = ("most_confident", "largest", "all", "none")
# Batches of these shapes, the largest first: nothing is retraced, nothing padded. 32 takes more memory and gained a few per
# cent on one processor, and lost a tenth on another (benchmarks/predictor.json).
BATCH_SHAPES = (8, 4, 2, 1)
MOST_READERS = 4  # photos that are read and searched beside each other; each is in memory


class AgeGenderPredictor(Portable):
    """Predicts age and perceived gender for the faces in photos.

    Make one with :meth:`from_pretrained`; it may be shared between threads. ``engine`` says what runs,
    ``"openvino/bfloat16"`` and the like.

    Example:
        >>> predictor = AgeGenderPredictor.from_pretrained("hf_model")
        >>> predictor("photo.jpg", faces="all")
    """

    def __init__(self, config: dict, forward: Forward, engine: Engine | None = None, folder=None):
        """Args:
        config: the content of ``config.json``.
        forward: the network, as an engine loads it.
        engine: who runs the detector's networks; by default Keras.
        folder: the model's, where heat maps are wanted.
        """
        engine = engine or KerasEngine()
        self.config = config
        self.engine = str(engine)
        self._folder = folder
        self._heads: dict[str, np.ndarray] = {}
        self._readers = min(engine.threads or os.cpu_count() or 1, MOST_READERS)
        self.detector = FaceDetector(DetectorSettings.from_config(config["detection"]), engine.detector)
        self._cropper = FaceCropper(config, self.detector)
        self._forward = forward

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike | None = None,
        local_files_only: bool = False,
        engine: str = "keras",
        precision: str = "auto",
        threads: int | None = None,
    ) -> "AgeGenderPredictor":
        """Loads a model from a folder, or from the Hub by ``"user/repo"``.

        Args:
            name_or_path: a folder with ``config.json`` and ``model.safetensors``, or a repo id.
            revision: branch, tag or commit of the repo.
            token: for private repos; by default the stored login.
            cache_dir: where downloads are kept.
            local_files_only: ask no Hub: what was pulled before must do.
            engine: ``"keras"`` (on TensorFlow); ``"onnx"`` (ONNX Runtime) or ``"openvino"``, on a graph that is
                published with the weights or built from them once and kept in huggingface_hub's assets cache; or
                ``"auto"``: the fastest of these that is installed and whose graph is there.
            precision: ``"float32"``, ``"bfloat16"``, ``"int8"`` (which moves ages, see the card), or ``"auto"``:
                bfloat16 with OpenVINO on a processor that multiplies it, else float32.
            threads: how many the networks may use; None for all cores.

        Raises:
            FileNotFoundError: neither such a folder nor such a repo, or files are missing in it.
            WeightsError: the weights do not fit.
            ImportError: an engine without its packages.
            ValueError: an unknown engine, or one that cannot do what is asked for.
        """
        made = None if engine == "auto" else make_engine(engine, precision, threads)
        wanted = graph_wanted(made, precision)
        options = {"revision": revision, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
        folder = find_model(name_or_path, wanted, **options)
        config = read_config(folder)
        made = made or choose_engine(config, folder, precision, threads)
        return cls(config, made.load(config, folder), made, folder)

    def __call__(self, images, *, faces: str = "most_confident", batch_size: int = 32, on_error: str = "raise"):
        """Predicts for one photo, or for a list of photos.

        Args:
            images: a path, bytes, binary file, PIL image or uint8 array, see
                :func:`hf_model.pictures.images.read_image`; or a list (or tuple, or generator) of these.
            faces: ``"most_confident"`` (of equally sure ones the largest), ``"largest"``, ``"all"`` (the most
                confident first), or ``"none"``: the photo is a face chip already and no detector runs.
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
        if is_many(images):
            return list(self.stream(images, faces=faces, batch_size=batch_size, on_error=on_error))
        return next(self.stream([images], faces=faces, batch_size=batch_size, on_error=on_error))

    def analyse(self, image, *, faces: str = "most_confident") -> Analysis:
        """Predicts for one photo as a call does, and gives what the answer rests on beside it.

        Args:
            image, faces: as in a call.

        Raises:
            InvalidImageError: a photo that cannot be used.
            ValueError: an unknown option.
        """
        _check_faces(faces)
        found = self._cropper.find(image, faces)
        shown = [self._cropper.prepare(found, face) for face in found.faces]
        return Analysis(self._predict(shown, 32), [PIL.Image.fromarray(one.pixels) for one in shown], found.count)

    def explain(self, image, *, target: str = "age", faces: str = "most_confident") -> list[Explanation]:
        """Predicts for one photo as a call does, and shows for each face where the network looked.

        Args:
            image, faces: as in a call.
            target: ``"age"`` or ``"gender"``, see :class:`hf_model.prediction.Explanation`.

        Raises:
            InvalidImageError: a photo that cannot be used.
            ValueError: an unknown option.
        """
        _check_faces(faces)
        if target not in TARGETS:
            raise ValueError(f"target={target!r}: pass one of {', '.join(map(repr, TARGETS))}.")
        found = self._cropper.find(image, faces)
        shown = [self._cropper.prepare(found, face) for face in found.faces]
        if not shown:
            return []
        outputs = self._run(np.stack([one.pixels for one in shown]), 32)
        made = []
        for row, one in enumerate(shown):
            prediction = self._answer(outputs, row, one)
            female = prediction.female_probability >= 0.5
            heat = heat_map(outputs[f"{target}_map"][row], self.heads(), target, female, self.size)
            made.append(Explanation(prediction, PIL.Image.fromarray(one.pixels), heat, self._cropper.square(one.face)))
        return made

    def heads(self) -> dict[str, np.ndarray]:
        """The dense layers that heat maps are made from, read at the first call."""
        if self._folder is None:
            raise ValueError("This predictor was not loaded from a model folder: use from_pretrained to explain.")
        if not self._heads:
            self._heads = read_heads(self._folder)
        return self._heads

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
        found = self._cropper.find(image, faces)
        return [(face, self._cropper.crop(found, face)) for face in found.faces]

    def warm_up(self) -> None:
        """Loads the detector and runs everything once, so that the first answer does not wait."""
        self.detector(PIL.Image.new("RGB", (self.detector.settings.working_size,) * 2, "gray"))
        for shape in BATCH_SHAPES:
            self._run(np.zeros((shape, self.size, self.size, 3), np.uint8), shape)

    @property
    def size(self) -> int:
        """Side of the network's input in pixels."""
        return self.config["input"]["size"]

    def stream(
        self, images: Iterable, *, faces: str = "most_confident", batch_size: int = 32, on_error: str = "raise"
    ) -> Iterator:
        """Answers for photos as they come, from a generator without end too.

        Args:
            images: gives photos, as in a call; each is read before the next is asked for, so that it may be refilled.
            faces, batch_size, on_error: as in a call.

        Yields:
            For each photo, in order, its list of :class:`Prediction`, or with ``on_error="return"`` its error; a few photos
            behind, so that faces of several go through the network together.

        Raises:
            InvalidImageError: a photo that cannot be used, with ``on_error="raise"``.
            BaseException: whatever ``images`` itself raises, behind the answers before it.
        """
        _check_faces(faces)
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error={on_error!r}: pass 'raise' or 'return'.")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: pass a whole number of at least 1.")
        return self._stream(images, faces, batch_size, on_error)

    def _stream(self, images: Iterable, faces: str, batch_size: int, on_error: str) -> Iterator:
        results: collections.deque = collections.deque()  # of the photos that are not given back yet
        waiting: list[tuple[list, FaceCrop]] = []  # a photo's answers so far, and a face of it without one
        finds = calls_ahead(
            lambda image: self._cropper.find(image, faces),
            images,
            self._readers,
            lambda image: make_self_contained(image, may_change=not isinstance(images, (list, tuple))),
        )
        failure: BaseException | None = None
        while True:
            try:
                find = next(finds)
            except StopIteration:
                break
            except BaseException as error:  # of the caller's iterator
                failure = error
                break
            try:
                found = find()
                answers: list = []
                results.append(answers)
                for face in found.faces:
                    waiting.append((answers, self._cropper.prepare(found, face)))
                    if len(waiting) >= batch_size:  # inside a photo too: a crowd's memory is bounded
                        self._answer_waiting(waiting, batch_size)
                del found
            except InvalidImageError as error:
                if on_error == "raise":
                    raise
                results.append(error)
            if len(results) >= batch_size:  # faces wait no longer, however few they are
                self._answer_waiting(waiting, batch_size)
            if not waiting:
                yield from results
                results.clear()
        self._answer_waiting(waiting, batch_size)
        yield from results
        if failure is not None:
            raise failure

    def _answer_waiting(self, waiting: list[tuple[list, FaceCrop]], batch_size: int) -> None:
        """Answers for faces, each put with its photo's; none waits any more."""
        predictions = self._predict([crop for _, crop in waiting], batch_size)
        for (answers, _), prediction in zip(waiting, predictions, strict=True):
            answers.append(prediction)
        waiting.clear()

    def _predict(self, shown: list[FaceCrop], batch_size: int) -> list[Prediction]:
        """The answers for faces, in their order."""
        if not shown:
            return []
        outputs = self._run(np.stack([one.pixels for one in shown]), batch_size)
        return [self._answer(outputs, row, one) for row, one in enumerate(shown)]

    def _answer(self, outputs: dict[str, np.ndarray], row: int, one: FaceCrop) -> Prediction:
        return make_prediction(outputs, row, self.config, one.face, one.photo, one.quality)

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


def _check_faces(faces: str) -> None:
    if faces not in FACES:
        raise ValueError(f"faces={faces!r}: pass one of {', '.join(map(repr, FACES))}.")
