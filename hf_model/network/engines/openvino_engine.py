"""OpenVINO."""

import contextlib
import pathlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from .engine import Graph, GraphEngine

# OpenVINO keeps what it prepared for a shape of input, 5,000 of a graph's layers at first: 250 MB for forty sizes of
# photo. Photos of one size are as fast with so many; who goes over the same forty sizes again and again pays 15 ms a
# photo.
KEPT_SHAPES = {"CPU_RUNTIME_CACHE_CAPACITY": 512}


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
        """OpenVINO, which reports nothing to anyone."""
        try:
            with without_telemetry():
                import openvino
        except ImportError as error:
            raise ImportError("engine='openvino' needs openvino: pip install openvino") from error
        return openvino

    def open(self, path: pathlib.Path, precision: str, threads: int | None) -> Graph:
        openvino = self.package()
        core = openvino.Core()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # or all single threads, and all processes, share the first core
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        model = core.read_model(str(path))
        try:
            compiled = core.compile_model(model, "CPU", settings | KEPT_SHAPES)
        except RuntimeError:  # the setting is none that OpenVINO promises to keep
            compiled = core.compile_model(model, "CPU", settings)
        names = [output.get_any_name() for output in compiled.outputs]
        of_thread = threading.local()

        def run(batch: np.ndarray) -> dict[str, np.ndarray]:
            if not hasattr(of_thread, "request"):  # a request is for one thread at a time
                of_thread.request = compiled.create_infer_request()
            of_thread.request.set_input_tensor(openvino.Tensor(np.ascontiguousarray(batch), shared_memory=True))
            of_thread.request.infer()
            return {name: of_thread.request.get_output_tensor(index).data.copy() for index, name in enumerate(names)}

        return run


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """While it lasts, ``openvino_telemetry`` cannot be imported.

    ``import openvino`` reports itself to an analytics server by that package, under a lasting client id, and offers no
    switch but a file in the user's home. It does without where the package is missing
    (``openvino/tools/ovc/telemetry_stub.py``).
    """
    name = "openvino_telemetry"
    if name in sys.modules:  # the caller's own choice
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(name, None)
