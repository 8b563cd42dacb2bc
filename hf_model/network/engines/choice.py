"""The engines by name, and the choice among them."""

import functools
import importlib.util
import pathlib
import sys

from ...settings import Settings
from .engine import Engine, GraphEngine
from .graph_files import GRAPHS, STAMP, find_graph, graph_name
from .keras_engine import KerasEngine
from .onnx_engine import OnnxEngine
from .openvino_engine import OpenVinoEngine
from .torch_engine import TorchEngine, best_device, may_have_gpu

PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
ENGINES: dict[str, type[Engine]] = {
    "keras": KerasEngine,
    "onnx": OnnxEngine,
    "openvino": OpenVinoEngine,
    "torch": TorchEngine,
}
FASTEST_FIRST = ("openvino", "onnx")


def make_engine(name: str, precision: str = "auto", threads: int | None = None) -> Engine:
    """The engine of that name.

    Raises:
        ValueError: there is none, or it cannot do what is asked for.
        ImportError: its packages are missing.
    """
    if name not in ENGINES:
        raise ValueError(f"engine={name!r}: pass one of {', '.join(map(repr, [*ENGINES, 'auto']))}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: pass one of {', '.join(map(repr, PRECISIONS))}.")
    return ENGINES[name](precision, threads)


def has_gpu(precision: str) -> bool:
    """Whether PyTorch is installed and finds a GPU for a precision."""
    is_able = precision == "auto" or precision in TorchEngine.precisions
    has_torch = importlib.util.find_spec("torch") is not None
    return is_able and has_torch and may_have_gpu() and best_device() != "cpu"


def detector_engine() -> Engine:
    """The fastest installed engine that runs MTCNN, for what runs the network alone.

    Raises:
        ImportError: none is installed.
    """
    for name in (*installed("float32"), "keras"):
        if all(map(importlib.util.find_spec, ENGINES[name].packages)):
            return make_engine(name, "float32")
    raise ImportError("Finding faces needs one more package: pip install onnxruntime")


def installed(precision: str) -> list[str]:
    """The engines of graphs that are installed and have a precision, the fastest first."""
    able = [name for name in FASTEST_FIRST if precision == "auto" or precision in ENGINES[name].precisions]
    return [name for name in able if all(map(importlib.util.find_spec, ENGINES[name].packages))]


def graph_files_sufficient_for(engine: Engine | None, precision: str) -> list[str]:
    """The files of a published repo that are enough for an engine (None: the one that is chosen) without the
    weights."""
    chosen_runs_graph = not has_gpu(precision) and bool(installed(precision))
    runs_graph = chosen_runs_graph if engine is None else isinstance(engine, GraphEngine)
    return [f"{GRAPHS}/{name}" for name in (graph_name(precision), STAMP)] if runs_graph else []


@functools.cache
def _say_once(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def choose_engine(
    settings: Settings, folder: pathlib.Path, precision: str = "auto", threads: int | None = None
) -> Engine:
    """What ``engine="auto"`` means for a model folder: PyTorch where it finds a GPU, else the fastest that is installed
    and whose graph is there or can be built.

    Nothing is built here; that a GPU answers, or Keras only because a graph cannot be built, is a line on stderr.

    Raises:
        ValueError: no engine that could be used has that precision.
        ImportError: no engine that could be used is installed.
        FileNotFoundError: a file in the folder is a pointer of Git LFS.
    """
    if threads is None and has_gpu(precision):
        engine = make_engine("torch", precision)
        _say_once(f"{engine} answers; pass engine='openvino' or 'onnx' for the processor.")
        return engine
    able = installed(precision)
    can_build = importlib.util.find_spec("onnx") is not None
    for name in able:
        if can_build or find_graph(settings, folder, precision)[1]:
            return make_engine(name, precision, threads)
    has_keras = all(map(importlib.util.find_spec, KerasEngine.packages))
    if able and not has_keras:
        raise ImportError(f"The graph that {able[0]} runs is not there yet: pip install onnx, which builds it once.")
    if not has_keras:
        raise ImportError(
            "No engine is installed: pip install openvino onnx (the fastest), onnxruntime onnx, or keras tensorflow."
        )
    if able:
        print(
            (
                f"Keras answers, which is slower: {able[0]} wants a graph that the package onnx builds once: pip "
                f"install "
                f"onnx"
            ),
            file=sys.stderr,
        )
    return make_engine("keras", precision)
