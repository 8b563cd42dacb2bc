"""The custom task "age-gender-estimation" for ``transformers.pipeline``: a thin door on the predictor.

The imports beyond the pipeline's own are for transformers 4.57, see ``modeling_age_gender.py``.
"""

from transformers import Pipeline

from .ahead import calls_ahead  # noqa: F401
from .alignment import cut  # noqa: F401
from .architecture import build_model  # noqa: F401
from .cascade import Cascade  # noqa: F401
from .detection import FaceDetector  # noqa: F401
from .download import find_model  # noqa: F401
from .engines import make_engine  # noqa: F401
from .explain import Explanation  # noqa: F401
from .faces import Face  # noqa: F401
from .folding import run_model  # noqa: F401
from .graph_files import network_file  # noqa: F401
from .graphs import network_graph  # noqa: F401
from .images import read_image  # noqa: F401
from .keras_engine import KerasEngine  # noqa: F401
from .prediction import Prediction  # noqa: F401
from .predictor import AgeGenderPredictor  # noqa: F401
from .preprocessing import preprocess  # noqa: F401
from .quality import measure_quality  # noqa: F401
from .quantized import QuantizedGraph  # noqa: F401
from .weights import load_weights  # noqa: F401


class AgeGenderPipeline(Pipeline):
    """Photos in, lists of prediction dicts out.

    Example:
        >>> pipe = pipeline(model="user/repo", trust_remote_code=True)
        >>> pipe("photo.jpg")
        [{'age': 31.4, 'age_interval': [24.9, 38.0], 'gender': 'female', ...}]
        >>> pipe(["a.jpg", "b.jpg"], batch_size=8, faces="all")
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False

    def __call__(self, images, *, faces=None, on_error=None, batch_size=None, **kwargs):
        """Predicts for one photo (a list of dicts) or several (a list of such lists).

        Args:
            images: what :class:`AgeGenderPredictor` takes; also a generator or a ``datasets`` column,
                for which a generator of results is returned.
            faces, on_error, batch_size: as for the predictor; the defaults can be given to
                ``pipeline(...)``.
        """
        if kwargs:
            raise TypeError(f"Unknown options {sorted(kwargs)}; there are faces, on_error and batch_size.")
        given = {"faces": faces, "on_error": on_error, "batch_size": batch_size}
        options = {**self._forward_params, **{key: value for key, value in given.items() if value is not None}}
        options.setdefault("batch_size", self._batch_size or 32)
        if isinstance(images, (list, tuple)):
            return [self.postprocess(item) for item in self.model.predictor(list(images), **options)]
        if _is_stream(images):
            return self._stream(images, options)
        return self.postprocess(self.model.predictor(images, **options))

    def _stream(self, images, options):
        chunk = []
        for image in images:
            chunk.append(image)
            if len(chunk) == options["batch_size"]:
                yield from map(self.postprocess, self.model.predictor(chunk, **options))
                chunk = []
        if chunk:
            yield from map(self.postprocess, self.model.predictor(chunk, **options))

    def _sanitize_parameters(self, faces=None, on_error=None, **kwargs):
        given = {"faces": faces, "on_error": on_error}
        return {}, {key: value for key, value in given.items() if value is not None}, {}

    def preprocess(self, image):
        return {"image": image}

    def _forward(self, inputs, **options):
        return self.model.predictor(inputs["image"], **options)

    def postprocess(self, result):
        """Prediction dicts; an ``InvalidImageError`` stays what it is.

        By kind and not by class: transformers may load this file's package and the model's twice.
        """
        if isinstance(result, Exception):
            return result
        return [face.to_dict() for face in result]


def _is_stream(images) -> bool:
    """Whether ``images`` is a generator or a column of a dataset, and not one picture."""
    if isinstance(images, (str, bytes, bytearray, memoryview)) or hasattr(images, "read"):
        return False
    return hasattr(images, "__next__") or (
        hasattr(images, "__iter__") and type(images).__module__.startswith("datasets")
    )
