"""The predictor: photos in, predictions out. Needs neither PyTorch nor transformers."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import PIL.Image

from .answering import BATCH_SHAPES, Answerer
from .download import find_model
from .faces.cropping import FaceCropper, FoundFaces
from .faces.detector import FaceDetector
from .faces.face import Face
from .network.engines.choice import choose_engine, graph_files_sufficient_for, make_engine
from .network.engines.engine import Engine, Forward
from .network.engines.graph_files import PUBLISHED_DETECTOR, graph_name, has_graph, weights_identity
from .network.engines.keras_engine import KerasEngine
from .network.familiarity import Familiarity
from .network.heat_maps import TARGETS, heat_map, read_heads
from .pictures.images import read_image
from .pictures.inputs import is_many
from .pictures.reading_ahead import calls_ahead
from .pictures.self_contained import make_self_contained
from .portable import Portable, portable_call
from .prediction import Analysis, Explanation, Prediction, RawPrediction, calibrate
from .settings import Settings

FACES = ("most_confident", "largest", "all", "none")
MOST_READERS = 4  # photos that are read and searched beside each other; each is in memory


class AgeGenderPredictor(Portable):
    """Predicts age and perceived gender for the faces in photos.

    Make one with :meth:`from_pretrained`; it may be shared between threads, and pickles as the folder, the weights'
    sha256 and the engine that it was made from: whoever unpickles it loads it anew. ``engine`` says what runs,
    ``"openvino/bfloat16"`` and the like.

    Example:
        >>> predictor = AgeGenderPredictor.from_pretrained("hf_model")
        >>> predictor("photo.jpg", faces="all")
    """

    def __init__(
        self,
        settings: Settings,
        forward: Forward,
        engine: Engine | None = None,
        folder=None,
        familiarity: Familiarity | None = None,
    ):
        """Args:
        settings: the model's ``config.json``.
        forward: the network, as an engine loads it.
        engine: who runs the detector's networks; by default Keras.
        folder: the model's, where heat maps are wanted.
        familiarity: says how unlike the training's faces a face is.
        """
        engine = engine or KerasEngine()
        self.settings = settings
        self.engine = str(engine)
        self.folder = folder
        self.forward = forward
        self._chosen = engine
        self._heads: dict[str, np.ndarray] = {}
        self._readers = min(engine.threads or os.cpu_count() or 1, MOST_READERS)
        self.detector = FaceDetector(settings.detection, functools.partial(engine.detector, folder))
        self._cropper = FaceCropper(settings, self.detector)
        self._answerer = Answerer(forward, familiarity)

    def __reduce_ex__(self, protocol):
        if self.folder is None or not self._chosen.pickles:
            raise TypeError("A predictor pickles only where it was made by from_pretrained, from a folder or repo.")
        folder, engine = os.path.abspath(self.folder), self._chosen
        identity = weights_identity(self.folder, engine.precision)
        return portable_call(unpickled, (folder, identity, engine.name, engine.precision, engine.threads))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike | None = None,
        local_files_only: bool = False,
        engine: str | Engine = "auto",
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
            engine: ``"auto"``, the fastest that is installed: ``"torch"`` where PyTorch finds a GPU, ``"openvino"``,
                ``"onnx"`` (ONNX Runtime), or ``"keras"`` (on TensorFlow). ``"openvino"`` and ``"onnx"`` run a graph
                that is published with the weights, or built from them once and kept in huggingface_hub's assets cache.
                Machines may so differ by less than 0.1 years on average; Keras is the reference.
            precision: ``"float32"``, ``"bfloat16"``, ``"float16"`` (with PyTorch), ``"int8"`` (which moves ages, see
                the card), or ``"auto"``: bfloat16 with OpenVINO on a processor and with PyTorch on a GPU that
                multiplies it, else float32.
            threads: how many the networks may use; None for all cores.

        Raises:
            FileNotFoundError: neither such a folder nor such a repo, or files are missing in it.
            WeightsError: the weights do not fit.
            ImportError: an engine without its packages.
            ValueError: an unknown engine, or one that cannot do what is asked for; or a ``config.json`` with an unknown
                or missing key.
        """
        made = engine if isinstance(engine, Engine) else None
        if made is None and engine != "auto":
            made = make_engine(str(engine), precision, threads)
        instead, graph = graph_files_sufficient_for(made, precision), graph_name(precision)
        options = {"revision": revision, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
        folder = find_model(
            name_or_path, instead, lambda pulled: has_graph(pulled, graph), PUBLISHED_DETECTOR, **options
        )
        settings = Settings.load(folder)
        made = made or choose_engine(settings, folder, precision, threads)
        return cls(settings, made.load(settings, folder), made, folder, Familiarity.load(folder))

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

    def analyse(self, image, *, faces: str = "most_confident", explain: Sequence[str] = ()) -> Analysis:
        """Predicts for one photo as a call does, and gives what the answer rests on: one detection, one pass.

        Args:
            image, faces: as in a call.
            explain: targets to make heat maps of, ``"age"`` and ``"gender"``, see
                :class:`hf_model.prediction.Explanation`.

        Raises:
            InvalidImageError: a photo that cannot be used.
            ValueError: an unknown option.
        """
        _check_faces(faces)
        for target in explain:
            if target not in TARGETS:
                raise ValueError(f"explain={target!r}: there are {', '.join(map(repr, TARGETS))}.")
        found = self._cropper.find(image, faces)
        shown = [self._cropper.prepare(found, face) for face in found.faces]
        if not shown:
            return Analysis([], [], found.count, {target: [] for target in explain})
        outputs = self._answerer.run(np.stack([one.pixels for one in shown]), 32)
        predictions = self._calibrated(self._answerer.raw_predictions(outputs, shown))
        crops = [PIL.Image.fromarray(one.pixels) for one in shown]
        explanations = {}
        for target in explain:
            heats = (
                heat_map(outputs[f"{target}_map"][row], self.heads(), target, made.female_probability >= 0.5, self.size)
                for row, made in enumerate(predictions)
            )
            explanations[target] = list(map(Explanation, predictions, crops, heats, (one.square for one in shown)))
        return Analysis(predictions, crops, found.count, explanations)

    def raw(self, images, *, faces: str = "most_confident", batch_size: int = 32, on_error: str = "raise"):
        """What the network says for one photo, or for a list of photos, before any calibration: for measuring and
        calibrating.

        Args:
            images, faces, batch_size, on_error: as in a call.

        Returns:
            A list of :class:`hf_model.prediction.RawPrediction`, or for a list of photos a list of such lists.
            :func:`hf_model.prediction.calibrate` makes predictions of them.

        Raises:
            InvalidImageError, ValueError: as in a call.
        """
        many = is_many(images)
        answers = self._stream(images if many else [images], list, faces, batch_size, on_error)
        return list(answers) if many else next(answers)

    def raw_of(self, picture: PIL.Image.Image, faces: Sequence[Face]) -> list[RawPrediction]:
        """What the network says of faces that were found elsewhere, one each.

        Args:
            picture: upright, RGB.
            faces: in its pixels.
        """
        found = FoundFaces(picture, picture.size, faces, len(faces))
        return self._answerer.answer([self._cropper.prepare(found, face) for face in faces], 32)

    def explain(self, image, *, target: str = "age", faces: str = "most_confident") -> list[Explanation]:
        """Predicts for one photo as a call does, and shows for each face where the network looked.

        Args:
            image, faces: as in a call.
            target: ``"age"`` or ``"gender"``, see :class:`hf_model.prediction.Explanation`.

        Raises:
            InvalidImageError: a photo that cannot be used.
            ValueError: an unknown option.
        """
        if target not in TARGETS:
            raise ValueError(f"target={target!r}: pass one of {', '.join(map(repr, TARGETS))}.")
        return self.analyse(image, faces=faces, explain=(target,)).explanations[target]

    def heads(self) -> dict[str, np.ndarray]:
        """The dense layers that heat maps are made from, read at the first call."""
        if self.folder is None:
            raise ValueError("This predictor was not loaded from a model folder: use from_pretrained to explain.")
        if not self._heads:
            self._heads = read_heads(self.folder)
        return self._heads

    def read(self, image) -> PIL.Image.Image:
        """The upright RGB picture as the predictor sees it; ``Prediction.box`` is in its pixels.

        Raises:
            InvalidImageError: a photo that cannot be used.
        """
        return read_image(image, self.settings.input.max_pixels, self.settings.reading.formats)

    def crops(self, image, *, faces: str = "most_confident") -> list[tuple[Face | None, PIL.Image.Image]]:
        """The faces of a photo with the square crops that the network is shown.

        Raises:
            InvalidImageError: a photo that cannot be used.
        """
        found = self._cropper.find(image, faces)
        made = [(face, self._cropper.crop(found, face).copy()) for face in found.faces]
        for _, crop in made:
            crop.info = {}  # whoever saves it does not save the place where the photo was taken
        return made

    def warm_up(self) -> None:
        """Loads the detector and runs everything once, so that the first answer does not wait."""
        self.detector(PIL.Image.new("RGB", (self.detector.settings.working_size,) * 2, "gray"))
        for shape in BATCH_SHAPES:
            self._answerer.run(np.zeros((shape, self.size, self.size, 3), np.uint8), shape)

    @property
    def size(self) -> int:
        """Side of the network's input in pixels."""
        return self.settings.input.size

    def stream(
        self, images: Iterable, *, faces: str = "most_confident", batch_size: int = 32, on_error: str = "raise"
    ) -> Iterator:
        """Answers for photos as they come, from a generator without end too.

        Args:
            images: gives photos, as in a call; each is read before the next is asked for, so that it may be refilled.
            faces, batch_size, on_error: as in a call.

        Yields:
            For each photo, in order, its list of :class:`Prediction`, or with ``on_error="return"`` its error; a few
            photos behind, so that faces of several go through the network together.

        Raises:
            InvalidImageError: a photo that cannot be used, with ``on_error="raise"``.
            BaseException: whatever ``images`` itself raises, behind the answers before it.
        """
        return self._stream(images, self._calibrated, faces, batch_size, on_error)

    def _calibrated(self, raw: list[RawPrediction]) -> list[Prediction]:
        return calibrate(raw, self.settings)

    def _stream(
        self,
        images: Iterable,
        finish: Callable[[list[RawPrediction]], list],
        faces: str,
        batch_size: int,
        on_error: str,
    ) -> Iterator:
        """As :meth:`stream`, each photo's raw predictions turned into answers by ``finish``."""
        _check_faces(faces)
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error={on_error!r}: pass 'raise' or 'return'.")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: pass a whole number of at least 1.")
        finds = calls_ahead(
            lambda image: self._cropper.find(image, faces),
            images,
            self._readers,
            lambda image: make_self_contained(image, may_change=not isinstance(images, (list, tuple))),
        )
        return self._answerer.stream(finds, self._cropper.prepare, finish, batch_size, on_error)


def unpickled(
    folder: str, identity: str | None, engine: str, precision: str, threads: int | None
) -> AgeGenderPredictor:
    """The predictor that was pickled, loaded anew.

    Raises:
        ValueError: other weights lie in its folder now.
    """
    if weights_identity(folder, precision) != identity:
        raise ValueError(f"{folder} holds other weights than when the predictor was pickled: make it anew.")
    return AgeGenderPredictor.from_pretrained(folder, engine=engine, precision=precision, threads=threads)


def _check_faces(faces: str) -> None:
    if faces not in FACES:
        raise ValueError(f"faces={faces!r}: pass one of {', '.join(map(repr, FACES))}.")
