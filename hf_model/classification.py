"""What clients of image classification expect of an answer, and which of their options have a meaning here.

Shared by the pipeline of transformers and by the handler of Inference Endpoints.
"""

from .prediction import Prediction

# What callers of image classification pass, the values of it that mean what happens here anyway, and why others do not.
OPTIONS = {
    "top_k": ((1,), "each face has one label, and the other's probability is the rest"),
    "function_to_apply": (("softmax",), "scores are calibrated probabilities"),
    "num_workers": ((0,), "photos are read in threads, as many as the predictor takes"),
}


def refuse(options: dict) -> None:
    """Takes out of some options those of image classification.

    Raises:
        ValueError: a value that asks for what does not happen here.
    """
    for name, (honoured, why) in OPTIONS.items():
        value = options.pop(name, None)
        if value is not None and value not in honoured:
            raise ValueError(f"{name}={value!r} cannot be honoured: {why}. Leave it out.")


def classified(face: Prediction, distribution: bool = False) -> dict:
    """A prediction as a dict with ``label`` and ``score`` before it: the likelier gender, "male" or "female", and its
    probability. Whether that is enough to call it, ``gender`` says."""
    female = face.female_probability
    label, score = ("female", female) if female >= 0.5 else ("male", 1 - female)
    return {"label": label, "score": score} | face.to_dict(distribution)
