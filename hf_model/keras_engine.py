"""The default engine, Keras on TensorFlow, and what every engine is."""

import importlib.util
import os
import pathlib
from collections.abc import Callable

import numpy as np

from .cascade import Cascade
from .download import WEIGHTS_NAME
from .graph_files import packaged_weights, read_detector_weights

# From (N, S, S, 3) float32 network input to the outputs by name, each with N rows: "age" (N,) in years and
# "gender" (N,), the probability of "female"; where the model has it, "age_distribution" (N, years); from a graph
# also "age_map" and "gender_map", the heads' feature maps.
Forward = Callable[[np.ndarray], dict[str, np.ndarray]]


class Engine:
    """Makes the age and gender network from a model folder, and MTCNN.

    Args:
        precision: one of ``precisions``, or ``"auto"``.
        threads: how many it may use; None for all cores.

    Raises:
        ValueError: what this engine cannot do.
        ImportError: a package that it needs is missing.
    """

    name: str
    packages: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("float32",)

    def __init__(self, precision: str = "auto", threads: int | None = None):
        missing = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ImportError(
                f"engine={self.name!r} needs a package that is not installed: pip install {' '.join(self.packages)}"
            )
        if precision != "auto" and precision not in self.precisions:
            raise ValueError(
                f"precision={precision!r} is not for engine={self.name!r}, which has {', '.join(self.precisions)}."
            )
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise ValueError(f"threads={threads!r}: pass a whole number of at least 1, or None for all cores.")
        self.threads = threads
        self.precision = self.best_precision() if precision == "auto" else precision

    def best_precision(self) -> str:
        """What ``precision="auto"`` means here; never int8, which moves ages."""
        return "float32"

    def __str__(self) -> str:
        return f"{self.name}/{self.precision}"

    def load(self, config: dict, folder: pathlib.Path) -> Forward:
        """The network of a model folder.

        Raises:
            WeightsError: the weights are missing or do not fit.
        """
        raise NotImplementedError

    def detector(self) -> "PackagedDetector | Cascade":
        """MTCNN: ``detect_faces`` as the package has it, and ``output``, its last network, see :class:`Cascade`."""
        raise NotImplementedError


class KerasEngine(Engine):
    """Keras's networks as compiled TensorFlow functions, and the ``mtcnn`` package as it is."""

    name = "keras"

    def __init__(self, precision: str = "auto", threads: int | None = None):
        super().__init__(precision, threads)
        if threads is not None:
            raise ValueError(
                f"threads={threads} is not for engine='keras': pass engine='onnx' or 'openvino', or set "
                "TF_NUM_INTRAOP_THREADS before starting Python."
            )

    def load(self, config: dict, folder: pathlib.Path) -> Forward:
        """The network, BatchNorm folded, traced when a batch shape is first seen."""
        model = load_keras_model(config, folder)
        import tensorflow

        from .folding import fold_model, run_model

        folded = {name: tuple(map(tensorflow.constant, values)) for name, values in fold_model(model).items()}
        run = tensorflow.function(lambda batch: run_model(folded, batch))

        def forward(batch: np.ndarray) -> dict[str, np.ndarray]:
            return {name: flat(values.numpy()) for name, values in run(tensorflow.constant(batch)).items()}

        return forward

    def detector(self) -> "PackagedDetector":
        """The ``mtcnn`` package."""
        return PackagedDetector()


class PackagedDetector:
    """The ``mtcnn`` package, its networks compiled for pictures of any size: twice as fast, never retraced."""

    def __init__(self):
        import tensorflow
        from mtcnn import MTCNN
        from mtcnn.stages import stage_onet, stage_pnet, stage_rnet

        files = packaged_weights()
        for module in (stage_pnet, stage_rnet, stage_onet):
            module.load_weights = lambda name: read_detector_weights(files[name.removesuffix(".lz4")])
        pictures = tensorflow.TensorSpec((None, None, None, 3), tensorflow.float32)

        def compiled(network):
            made = tensorflow.function(lambda batch: network(batch), input_signature=[pictures])
            made.get_concrete_function()  # now, or threads that call it first at once trace it each, and TensorFlow complains
            return made

        self.mtcnn = MTCNN()
        for stage in self.mtcnn.stages:
            stage._model = compiled(stage.model)

    def detect_faces(self, pixels: np.ndarray, **options) -> list[dict]:
        """As :meth:`hf_model.cascade.Cascade.detect_faces`."""
        # The boxes are asked for unclipped, so that a face at the edge keeps its true centre and size.
        return self.mtcnn.detect_faces(pixels, fit_to_image=False, **options)

    def output(self, patches: np.ndarray) -> dict[str, np.ndarray]:
        """The last network's answers on (N, 48, 48, 3) float32."""
        boxes, landmarks, faces = self.mtcnn.stages[-1].model(patches)
        return {"boxes": np.asarray(boxes), "landmarks": np.asarray(landmarks), "faces": np.asarray(faces)}


def flat(values: np.ndarray) -> np.ndarray:
    """(N, 1) as (N,); what has another shape stays as it is."""
    return values[:, 0] if values.shape[1:] == (1,) else values


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
