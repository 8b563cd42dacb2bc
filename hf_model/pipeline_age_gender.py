"""The custom task of ``transformers.pipeline``, under the name that the Hub prints, "image-classification": a thin
door.

It imports nothing of the package beside it, see ``modeling_age_gender.py``: what it needs, it takes from its model.
"""

import importlib
import importlib.util
import warnings

from transformers import Pipeline

# Else transformers fails later, with a NameError.
if importlib.util.find_spec("torch") is None:
    raise ImportError(
        "transformers.pipeline needs PyTorch, which is not installed: pip install torch. The door that needs neither: "
        "hf_model.AgeGenderPredictor.from_pretrained(...), see the model card."
    )


IGNORED = ("top_k", "function_to_apply", "num_workers", "timeout")


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

    def __call__(self, images=None, *, faces=None, on_error=None, batch_size=None, **kwargs):
        """Predicts for one photo (a list of dicts) or several (a list of such lists).

        Args:
            images: what :class:`AgeGenderPredictor` takes; a web address, base64 text or data URI; a dict with one of
                these; a list of them; or a generator, a ``KeyDataset`` or a ``datasets`` column, for which a generator
                of results is returned. A keyword ``inputs`` is the same.
            faces, on_error, batch_size: as for the predictor; the defaults can be given to
                ``pipeline(...)``.
            **kwargs: ``top_k``, ``function_to_apply``, ``num_workers`` and ``timeout``, which callers of image
                classification pass, mean nothing here; a warning says so. Others are refused.
        """
        images = kwargs.pop("inputs", images)
        _say_ignored(kwargs)
        if kwargs:
            raise TypeError(f"Unknown options {sorted(kwargs)}; there are faces, on_error and batch_size.")
        given = {"faces": faces, "on_error": on_error, "batch_size": batch_size}
        options = {**self._forward_params, **{key: value for key, value in given.items() if value is not None}}
        options.setdefault("batch_size", self._batch_size or 32)
        if isinstance(images, (list, tuple)):
            return self._answers(images, options)
        if self._web_pictures.is_stream(images):
            return self._stream(images, options)
        return self._answers([images], options | {"on_error": options.get("on_error", "raise")})[0]

    @property
    def _web_pictures(self):
        """The module of the model's package that reads what pipelines are given."""
        return importlib.import_module(f"{self.model.package.__name__}.pictures.web_pictures")

    def _answers(self, images, options) -> list:
        """Results for several inputs; with ``on_error="return"`` an error is in its input's place."""
        pictures = [self._picture_or_error(image) for image in images]
        return [self.postprocess(result) for result in self.model.predictor.stream(pictures, **options)]

    def _stream(self, images, options):
        pictures = map(self._picture_or_error, _one_by_one(images))
        for result in self.model.predictor.stream(pictures, **options):
            yield self.postprocess(result)

    def _picture_or_error(self, image):
        """What the predictor is given; an error goes its way in the place of its picture."""
        module = self._web_pictures
        try:
            return module.picture_of(image)
        except module.InvalidImageError as error:
            return error

    def _sanitize_parameters(self, faces=None, on_error=None, **kwargs):
        _say_ignored(kwargs)
        given = {"faces": faces, "on_error": on_error}
        return {}, {key: value for key, value in given.items() if value is not None}, {}

    def preprocess(self, image):
        return {"image": self._web_pictures.picture_of(image)}

    def _forward(self, inputs, **options):
        return self.model.predictor(inputs["image"], **options)

    def postprocess(self, result):
        """Prediction dicts; an ``InvalidImageError`` stays what it is."""
        if isinstance(result, Exception):
            return result
        return [face.to_dict() for face in result]


def _say_ignored(options: dict) -> None:
    """Takes out what callers of image classification pass and what has no meaning for this model, and says so."""
    ignored = [name for name in IGNORED if options.pop(name, None) is not None]
    if ignored:
        warnings.warn(
            f"{' and '.join(ignored)}: no meaning for this model, which answers with an age and a probability a face.",
            stacklevel=3,
        )


def _one_by_one(images):
    """The items of whatever gives some: a generator, a column, or a dataset that knows only places."""
    if hasattr(images, "__iter__"):
        return iter(images)
    return (images[place] for place in range(len(images)))
