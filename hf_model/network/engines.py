"""The engines by name, and the choice among them."""

import importlib.util
import pathlib
import sys

from .engine import Engine, GraphEngine
from .graph_files import BUILD, GRAPHS, find_graph, graph_name
from .keras_engine import KerasEngine
from .onnx_engine import OnnxEngine
from .openvino_engine import OpenVinoEngine

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
ENGINES: dict[str, type[Engine]] = {"keras": KerasEngine, "onnx": OnnxEngine, "openvino": OpenVinoEngine}
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


def installed(precision: str) -> list[str]:
    """The engines beside Keras that are installed and have a precision, the fastest first."""
    able = [name for name in FASTEST_FIRST if precision == "auto" or precision in ENGINES[name].precisions]
    return [name for name in able if all(map(importlib.util.find_spec, ENGINES[name].packages))]


def graph_wanted(engine: Engine | None, precision: str) -> str | None:
    """The file of a published repo that an engine runs (None: the one that is chosen), where it runs a graph."""
    runs_graph = installed(precision) if engine is None else isinstance(engine, GraphEngine)
    return f"{GRAPHS}/{graph_name(precision)}" if runs_graph else None


def choose_engine(config: dict, folder: pathlib.Path, precision: str = "auto", threads: int | None = None) -> Engine:
    """What ``engine="auto"`` means for a model folder: the fastest that is installed and whose graph is there.

    Nothing is built; where Keras answers only for want of a graph, a line on stderr says what builds it.

    Raises:
        ValueError: no engine that could be used has that precision.
        ImportError: Keras would have to answer, and is not installed.
    """
    able = installed(precision)
    for name in able:
        if find_graph(config, folder, precision)[1]:
            return make_engine(name, precision, threads)
    has_keras = all(map(importlib.util.find_spec, KerasEngine.packages))
    if able and not has_keras:
        raise ImportError(f"The graph that {able[0]} runs is not there yet. Build it once: {BUILD}")
    if not has_keras:
        raise ImportError(
            "No engine is installed: pip install openvino onnx (the fastest), onnxruntime onnx, or keras tensorflow."
        )
    if able:
        print(
            f"Keras answers, which is slower: no graph for {able[0]} is there yet. Build it: {BUILD}", file=sys.stderr
        )
    return make_engine("keras", precision)
