"""The custom task of ``transformers.pipeline``, under the name that the Hub prints, "image-classification": photos in,
faces out.

It imports nothing of the package beside it: what it needs, it takes from its model.
"""

import importlib
import importlib.util

from transformers import Pipeline

# Else transformers fails later, with a NameError.
if importlib.util.find_spec("torch") is None:
    raise ImportError(
        "transformers.pipeline needs PyTorch, which is not installed: pip install torch. The door that needs neither: "
        "hf_model.AgeGenderPredictor.from_pretrained(...), see the model card."
    )


class AgeGenderPipeline(Pipeline):
    """Photos in, lists of prediction dicts out; the network runs on the pipeline's device and in its type.

    Example:
        >>> pipe = pipeline(model="user/repo", trust_remote_code=True)
        >>> pipe("photo.jpg")
        [{'label': 'female', 'score': 0.91, 'age': 31.4, 'age_interval': [24.9, 38.0], 'gender': 'female', ...}]
        >>> pipe(["a.jpg", "b.jpg"], batch_size=8, faces="all")
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False

    def __call__(self, images=None, *, faces=None, on_error=None, batch_size=None, **kwargs):
        """Predicts for one photo (a list of dicts) or several (a list of such lists).

        Args:
            images: what :class:`AgeGenderPredictor` takes; a web address, base64 text or data URI; a dict with one of
                these; a list of them; or a generator, a ``KeyDataset`` or a ``datasets`` column, for which a generator
                of results is returned. A keyword ``inputs`` is the same.
            faces, on_error, batch_size: as for the predictor; the defaults can be given to
                ``pipeline(...)``.
            **kwargs: ``timeout``, seconds for a web address; ``top_k``, ``function_to_apply`` and ``num_workers``,
                which callers of image classification pass, are refused where they ask for what does not happen here.

        Raises:
            TypeError: an unknown option.
            ValueError: an option that cannot be honoured.
        """
        images = kwargs.pop("inputs", images)
        timeout = kwargs.pop("timeout", None)
        self._part("classification").refuse(kwargs)
        if kwargs:
            raise TypeError(f"Unknown options {sorted(kwargs)}; there are faces, on_error, batch_size and timeout.")
        given = {"faces": faces, "on_error": on_error, "batch_size": batch_size, "timeout": timeout}
        options = {**self._forward_params, **{key: value for key, value in given.items() if value is not None}}
        options.setdefault("batch_size", self._batch_size or 32)
        if isinstance(images, (list, tuple)):
            return self._answers(images, **options)
        if self._part("pictures.web_pictures").is_stream(images):
            return self._stream(images, **options)
        return self._answers([images], **options | {"on_error": options.get("on_error", "raise")})[0]

    def _part(self, name: str):
        """A module of the model's package."""
        return importlib.import_module(f"{self.model.package.__name__}.{name}")

    def _answers(self, images, timeout=None, **options) -> list:
        """Results for several inputs; with ``on_error="return"`` an error is in its input's place."""
        pictures = [self._picture_or_error(image, timeout) for image in images]
        return [self.postprocess(result) for result in self.model.predictor.stream(pictures, **options)]

    def _stream(self, images, timeout=None, **options):
        pictures = (self._picture_or_error(image, timeout) for image in _one_by_one(images))
        for result in self.model.predictor.stream(pictures, **options):
            yield self.postprocess(result)

    def _picture_or_error(self, image, timeout):
        """What the predictor is given; an error goes its way in the place of its picture."""
        module = self._part("pictures.web_pictures")
        try:
            return module.picture_of(image, timeout)
        except module.InvalidImageError as error:
            return error

    def _sanitize_parameters(self, faces=None, on_error=None, timeout=None, **kwargs):
        self._part("classification").refuse(kwargs)
        given = {"faces": faces, "on_error": on_error, "timeout": timeout}
        return {}, {key: value for key, value in given.items() if value is not None}, {}

    def preprocess(self, image, timeout=None):
        return {"image": self._part("pictures.web_pictures").picture_of(image, timeout)}

    def _forward(self, inputs, **options):
        return self.model.predictor(inputs["image"], **options)

    def postprocess(self, result):
        """Prediction dicts; an ``InvalidImageError`` stays what it is."""
        if isinstance(result, Exception):
            return result
        return [self._part("classification").classified(face) for face in result]


def _one_by_one(images):
    """The items of whatever gives some: a generator, a column, or a dataset that knows only places."""
    if hasattr(images, "__iter__"):
        return iter(images)
    return (images[place] for place in range(len(images)))
