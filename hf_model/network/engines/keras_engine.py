"""Keras on TensorFlow: the reference."""

import contextlib
import os
import pathlib
import threading
from collections.abc import Iterator

import numpy as np

from ...download import WEIGHTS_NAME
from ...settings import Settings
from ..layout import network_of
from ..preprocessing import preprocess
from .engine import Engine, Forward, flat
from .graph_files import packaged_weights, read_detector_weights

_BUILDING = threading.Lock()  # Keras's settings are the process's


class KerasEngine(Engine):
    """Keras's networks as compiled TensorFlow functions, and the ``mtcnn`` package as it is."""

    name = "keras"
    packages = ("keras", "tensorflow")

    def __init__(self, precision: str = "auto", threads: int | None = None):
        super().__init__(precision, threads)
        if threads is not None:
            raise ValueError(
                f"threads={threads} is not for engine='keras': pass engine='onnx' or 'openvino', or set "
                "TF_NUM_INTRAOP_THREADS before starting Python."
            )

    def load(self, settings: Settings, folder: pathlib.Path) -> Forward:
        """The network, BatchNorm folded, traced when a batch shape is first seen."""
        model = load_keras_model(settings, folder)
        import tensorflow

        from ..folding import fold_model, run_model

        network = network_of(settings.network)
        folded = {name: tuple(map(tensorflow.constant, values)) for name, values in fold_model(model, network).items()}
        run = tensorflow.function(lambda batch: run_model(network, folded, batch))
        preprocessing = network.preprocessing
        process = os.getpid()

        def forward(crops: np.ndarray) -> dict[str, np.ndarray]:
            _refuse_child(process)
            batch = tensorflow.constant(preprocess(crops, preprocessing))
            return {name: flat(values.numpy()) for name, values in run(batch).items()}

        return forward

    def detector(self, folder: pathlib.Path | None = None) -> "PackagedDetector":
        """The ``mtcnn`` package."""
        return PackagedDetector()


class PackagedDetector:
    """The ``mtcnn`` package, its networks compiled for pictures of any size: twice as fast, never retraced."""

    def __init__(self):
        self._process = os.getpid()
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

        with _BUILDING, own_settings():
            self.mtcnn = MTCNN()
            for stage in self.mtcnn.stages:
                stage._model = compiled(stage.model)

    def detect_faces(self, pixels: np.ndarray, **options) -> list[dict]:
        """As :meth:`hf_model.network.mtcnn.cascade.Cascade.detect_faces`."""
        _refuse_child(self._process)
        # The boxes are asked for unclipped, so that a face at the edge keeps its true centre and size.
        return self.mtcnn.detect_faces(pixels, fit_to_image=False, **options)

    def output(self, patches: np.ndarray) -> dict[str, np.ndarray]:
        """The last network's answers on (N, 48, 48, 3) float32."""
        _refuse_child(self._process)
        boxes, landmarks, faces = self.mtcnn.stages[-1].model(patches)
        return {"boxes": np.asarray(boxes), "landmarks": np.asarray(landmarks), "faces": np.asarray(faces)}


def _refuse_child(process: int) -> None:
    """Raises RuntimeError in a forked child of the process that made an engine: TensorFlow would wait there for
    ever."""
    if os.getpid() != process:
        raise RuntimeError(
            "engine='keras' cannot go on in a forked process: start processes by 'spawn' "
            "(multiprocessing.get_context('spawn'), "
            "DataLoader(multiprocessing_context='spawn')), or pass engine='openvino' or 'onnx'."
        )


def load_keras_model(settings: Settings, folder: pathlib.Path):
    """The Keras model with its weights, on the TensorFlow backend."""
    # Here, not above: importing this module must not load TensorFlow.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    from ..architecture import build_model
    from ..weights import load_weights

    if keras.backend.backend() != "tensorflow":
        where = "KERAS_BACKEND" if os.environ.get("KERAS_BACKEND") else str(_settings_file())
        raise ValueError(
            f"engine='keras' predicts on Keras's TensorFlow backend, not on {keras.backend.backend()!r}, which "
            f"{where} says: "
            "change it before starting Python, or pass engine='openvino' or 'onnx'."
        )
    with _BUILDING, own_settings():
        model = build_model(settings.heads, settings.input.size, network=settings.network)
    load_weights(model, folder / WEIGHTS_NAME)
    return model


@contextlib.contextmanager
def own_settings() -> Iterator[None]:
    """Keras's settings of the process as this network is built under: float32 and channels last, whatever they are
    else."""
    import keras

    layout, precision, policy = keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_image_data_format(layout)
        keras.config.set_floatx(precision)
        keras.config.set_dtype_policy(policy)


def _settings_file() -> pathlib.Path:
    """Where Keras keeps a user's settings."""
    return pathlib.Path(os.environ.get("KERAS_HOME") or pathlib.Path.home() / ".keras") / "keras.json"
