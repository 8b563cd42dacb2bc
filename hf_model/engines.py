"""Who computes the networks: the engines beside Keras, and the choice among all.

They run graphs built from the same weights (:mod:`hf_model.graphs`), without TensorFlow.
`python -m hf_model.engines --build` builds the graphs, once.
"""

import argparse
import importlib.util
import pathlib
import sys
import threading
from typing import Any

import numpy as np

from .cascade import Cascade
from .download import find_model, read_config
from .graph_files import BUILD, GRAPHS, RANGES, detector_files, find_graph, graph_name, network_file
from .keras_engine import Engine, Forward, KerasEngine, flat

PRECISIONS = ("auto", "float32", "bfloat16", "int8")


class GraphEngine(Engine):
    """What the engines share that run graphs (:mod:`hf_model.graphs`)."""

    def open(self, path: pathlib.Path, precision: str, threads: int | None) -> Forward:
        """A graph as a function that several threads may call, each time on that many threads."""
        raise NotImplementedError

    def load(self, config: dict, folder: pathlib.Path) -> Forward:
        """The network of a model folder, from its graph, which is built at first.

        Raises:
            WeightsError: the weights are missing or do not fit.
            ImportError: the graph has to be built, and the package for it is missing.
            FileNotFoundError: int8 without its activation ranges.
        """
        run = self.open(network_file(config, folder, self.precision), self.precision, self.threads)
        return lambda batch: {name: flat(values) for name, values in run(batch).items()}

    def detector(self) -> Cascade:
        """MTCNN's cascade in numpy around its networks.

        Always in float32, for its scores are compared with limits; and on one thread, for they are small, and several
        photos are looked at beside each other.
        """
        return Cascade(**{name: self.open(path, "float32", 1) for name, path in detector_files().items()})


class OnnxEngine(GraphEngine):
    """ONNX Runtime."""

    name = "onnx"
    packages = ("onnxruntime",)
    precisions = ("float32", "int8")

    def open(self, path: pathlib.Path, precision: str, threads: int | None) -> Forward:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError("engine='onnx' needs onnxruntime: pip install onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return lambda batch: dict(zip(names, session.run(names, {"pixels": batch}), strict=True))


class OpenVinoEngine(GraphEngine):
    """OpenVINO; in bfloat16 where the processor multiplies it."""

    name = "openvino"
    packages = ("openvino",)
    precisions = ("float32", "bfloat16", "int8")

    def best_precision(self) -> str:
        return (
            "bfloat16"
            if "BF16" in self.package().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            else "float32"
        )

    def package(self):
        """OpenVINO."""
        try:
            import openvino
        except ImportError as error:
            raise ImportError("engine='openvino' needs openvino: pip install openvino") from error
        return openvino

    def open(self, path: pathlib.Path, precision: str, threads: int | None) -> Forward:
        openvino = self.package()
        core = openvino.Core()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # or all single threads, and all processes, share the first core
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)
        names = [output.get_any_name() for output in compiled.outputs]
        of_thread = threading.local()

        def run(batch: np.ndarray) -> dict[str, np.ndarray]:
            if not hasattr(of_thread, "request"):  # a request is for one thread at a time
                of_thread.request = compiled.create_infer_request()
            of_thread.request.set_input_tensor(openvino.Tensor(np.ascontiguousarray(batch), shared_memory=True))
            of_thread.request.infer()
            return {name: of_thread.request.get_output_tensor(index).data.copy() for index, name in enumerate(names)}

        return run


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
    """
    able = installed(precision)
    for name in able:
        if find_graph(config, folder, precision)[1]:
            return make_engine(name, precision, threads)
    if able:
        print(
            f"Keras answers, which is slower: no graph for {able[0]} is there yet. Build it: {BUILD}", file=sys.stderr
        )
    return make_engine("keras", precision)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hf_model.engines", description="Builds the graphs that the fast engines run, once."
    )
    parser.add_argument("--build", action="store_true", required=True, help="build what is not there yet")
    parser.add_argument(
        "--model", default=str(pathlib.Path(__file__).parent), help="folder or Hub repo (default: this one)"
    )
    args = parser.parse_args(argv)
    try:
        folder = find_model(args.model)
        config = read_config(folder)
        precisions = ["float32", *(["int8"] if (folder / RANGES).is_file() else [])]
        paths = [network_file(config, folder, precision) for precision in precisions]
        paths += detector_files().values()
    except (FileNotFoundError, ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(paths)} graphs are there, the network's in {paths[0]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
