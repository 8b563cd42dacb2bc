"""The door of Inference Endpoints, which load this file alone, by its path, and call ``EndpointHandler``.

The rest of the package is the folder around it.
"""

import hashlib
import importlib
import importlib.util
import pathlib
import sys


class EndpointHandler:
    """Answers requests: ``handler({"inputs": ..., "parameters": {...}})``.

    Args:
        path: the folder of the model repo.
    """

    def __init__(self, path: str = ""):
        folder = pathlib.Path(path or ".").resolve()
        self.package = load_package(folder)
        self.predictor = self.package.AgeGenderPredictor.from_pretrained(folder, engine="auto")
        self.predictor.warm_up()

    def __call__(self, data: dict) -> list | dict:
        """The faces of a picture, as dicts, or for a list of pictures a list of such lists.

        Args:
            data: ``inputs``: bytes, base64 text or data URI, a PIL image, or a list of these; ``parameters``, if any:
                ``faces`` (as for the predictor), ``on_error`` (``"return"``, the default: ``{"error": sentence}`` in
                the place of a bad picture; or ``"raise"``) and ``distribution`` (the probabilities of all ages too).
                Options of image classification are refused where they ask for what does not happen here.

        Raises:
            ValueError: a bad picture with ``on_error="raise"``, no inputs, or an unknown parameter.
        """
        if not isinstance(data, dict) or data.get("inputs") is None:
            raise ValueError(
                'Nothing to look at: send {"inputs": a picture as base64 text or bytes, or a list of them}.'
            )
        parameters = dict(data.get("parameters") or {})
        faces, on_error = parameters.pop("faces", "most_confident"), parameters.pop("on_error", "return")
        distribution = bool(parameters.pop("distribution", False))
        classification = importlib.import_module(f"{self.package.__name__}.classification")
        classification.refuse(parameters)
        if parameters:
            raise ValueError(f"Unknown parameters {sorted(parameters)}; there are faces, on_error and distribution.")
        inputs = data["inputs"]
        many = isinstance(inputs, (list, tuple))
        answers = self._answers(list(inputs) if many else [inputs], faces, on_error)
        shown = [
            {"error": str(answer)}
            if isinstance(answer, Exception)
            else [classification.classified(face, distribution) for face in answer]
            for answer in answers
        ]
        return shown if many else shown[0]

    def _answers(self, values: list, faces: str, on_error: str) -> list:
        """The predictor's answers; an error in the place of what is no picture."""
        inputs = importlib.import_module(f"{self.package.__name__}.pictures.inputs")
        pictures: list = []
        for value in values:
            try:  # text is base64, everything else as it is
                pictures.append(inputs.from_base64(value) if isinstance(value, str) else value)
            except inputs.InvalidImageError as error:
                if on_error == "raise":
                    raise
                pictures.append(error)
        good = [picture for picture in pictures if not isinstance(picture, Exception)]
        answered = iter(self.predictor(good, faces=faces, on_error=on_error))
        return [picture if isinstance(picture, Exception) else next(answered) for picture in pictures]


def load_package(folder: pathlib.Path):
    """The package that a model repo is, whatever its folder is called; two folders are two packages.

    Raises:
        FileNotFoundError: the folder is none.
    """
    folder = pathlib.Path(folder).resolve()
    if not (folder / "__init__.py").is_file():
        raise FileNotFoundError(f"{folder} is not the folder of this model: it has no __init__.py.")
    # One that was imported from there in the plain way stays the only one.
    plain = sys.modules.get("hf_model")
    if plain is not None and pathlib.Path(plain.__file__ or "").resolve().parent == folder:
        return plain
    name = f"hf_model_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if name not in sys.modules:
        locations = [str(folder)]
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=locations
        )
        assert spec is not None
        assert spec.loader is not None
        package = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return sys.modules[name]


def restore(folder: str, module: str, name: str, arguments: tuple, attributes: dict | None = None):
    """An object that was pickled by :mod:`hf_model.portable`: of a class with attributes, or what a function makes."""
    package = load_package(pathlib.Path(folder))
    made = importlib.import_module(f"{package.__name__}.{module}").__dict__[name]
    if attributes is None:
        return made(*arguments)
    thing = made.__new__(made, *arguments)
    thing.__dict__.update(attributes)
    return thing
