"""Who computes the networks: one class an engine, and the table of them.

An engine makes the age and gender network from a model folder (:meth:`KerasEngine.load`), and runs MTCNN's
three networks (:meth:`KerasEngine.compile`).
"""

import hashlib
import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable

import numpy as np

from .download import WEIGHTS_NAME

# From (N, S, S, 3) float32 network input to the outputs by name, each with N rows: "age" (N,) in years and
# "gender" (N,), the probability of "female"; where the model has it, "age_distribution" (N, years).
Forward = Callable[[np.ndarray], dict[str, np.ndarray]]


class KerasEngine:
    """The default: Keras's networks as compiled TensorFlow functions."""

    def load(self, config: dict, folder: pathlib.Path) -> Forward:
        """The network of a model folder, BatchNorm folded, traced when a batch shape is first seen.

        Raises:
            WeightsError: the weights are missing or do not fit.
        """
        model = load_keras_model(config, folder)
        import tensorflow

        from .folding import fold_model, run_model

        folded = {name: tuple(map(tensorflow.constant, values)) for name, values in fold_model(model).items()}
        run = tensorflow.function(lambda batch: run_model(folded, batch))

        def forward(batch: np.ndarray) -> dict[str, np.ndarray]:
            return {name: flat(values.numpy()) for name, values in run(tensorflow.constant(batch)).items()}

        return forward

    def compile(self, network: Callable) -> Callable:
        """A Keras network for pictures of any size as one function: twice as fast, never retraced."""
        import tensorflow

        pictures = tensorflow.TensorSpec((None, None, None, 3), tensorflow.float32)
        return tensorflow.function(lambda batch: network(batch), input_signature=[pictures])


class OnnxEngine(KerasEngine):
    """ONNX Runtime, on a graph that Keras exports once and that is kept; MTCNN's networks stay with Keras."""

    def __init__(self):
        """Raises ImportError where a package is missing."""
        try:
            import onnxruntime
            import tf2onnx  # noqa: F401  (used by Keras's export)
        except ImportError as error:
            raise ImportError(
                f"engine='onnx' needs a package that is not installed ({error.name}): pip install onnxruntime tf2onnx"
            ) from error
        self.runtime = onnxruntime

    def load(self, config: dict, folder: pathlib.Path) -> Forward:
        """The network of a model folder, see :meth:`KerasEngine.load`."""
        graph = exported_graph(config, folder)
        session = self.runtime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        pixels = session.get_inputs()[0].name
        names = [output.name for output in session.get_outputs()]

        def forward(batch: np.ndarray) -> dict[str, np.ndarray]:
            return {name: flat(values) for name, values in zip(names, session.run(names, {pixels: batch}), strict=True)}

        return forward


ENGINES: dict[str, type[KerasEngine]] = {"keras": KerasEngine, "onnx": OnnxEngine}


def make_engine(name: str) -> KerasEngine:
    """The engine of that name.

    Raises:
        ValueError: there is none.
        ImportError: its packages are missing.
    """
    if name not in ENGINES:
        raise ValueError(f"engine={name!r}: pass one of {', '.join(map(repr, ENGINES))}.")
    return ENGINES[name]()


def flat(values: np.ndarray) -> np.ndarray:
    """(N, 1) as (N,); what has more columns stays as it is."""
    return values[:, 0] if values.shape[1] == 1 else values


def load_keras_model(config: dict, folder: pathlib.Path):
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
    load_weights(model, folder / WEIGHTS_NAME)
    return model


def exported_graph(config: dict, folder: pathlib.Path) -> pathlib.Path:
    """The ONNX file of a folder's weights; exported at most once, and never seen half-written."""
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():  # said as for the default engine
        load_keras_model(config, folder)
    import huggingface_hub

    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(json.dumps([config["heads"], config["input"]["size"]]).encode())
    kept = huggingface_hub.cached_assets_path("age-gender-face", namespace="onnx", subfolder=digest.hexdigest()[:32])
    graph = kept / "model.onnx"
    if not graph.is_file():
        model = load_keras_model(config, folder)
        import keras

        size = config["input"]["size"]
        signature = [keras.InputSpec(shape=(None, size, size, 3), dtype="float32", name="pixels")]
        with tempfile.TemporaryDirectory(dir=kept) as temporary, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf2onnx on numpy 2
            partial = pathlib.Path(temporary) / "model.onnx"
            model.export(str(partial), format="onnx", verbose=False, input_signature=signature)
            os.replace(partial, graph)
    return graph
