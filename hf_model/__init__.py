"""Age and perceived gender from a face photo.

>>> from hf_model import AgeGenderPredictor
>>> predictor = AgeGenderPredictor.from_pretrained("hf_model")  # a folder, or "user/repo"
>>> predictor("photo.jpg")
[Prediction(age=31.4, ...)]

Importing the package loads neither TensorFlow nor MTCNN; the first ``from_pretrained`` may.
"""

_HOMES = {
    "AgeGenderPredictor": "predictor",
    "Analysis": "prediction",
    "Prediction": "prediction",
    "InvalidImageError": "pictures.inputs",
    "Explanation": "prediction",
    "FaceTracker": "tracking",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
