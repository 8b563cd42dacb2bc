"""ONNX Runtime."""

import pathlib

from .engine import Graph, GraphEngine
from .onnx_runtime import import_onnxruntime
from .processor import lacks_vnni


class OnnxEngine(GraphEngine):
    """ONNX Runtime."""

    name = "onnx"
    packages = ("onnxruntime",)
    precisions = ("float32", "int8")

    def open(self, path: pathlib.Path, precision: str, threads: int | None) -> Graph:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        if lacks_vnni() is not False:
            # Such processors sum two products of int8 in 16 bits, which overflow silently: ages 0.6 years off, seen on
            # AVX2. With this they sum as the others do, whom it would cost half their speed. Source:
            # onnxruntime_session_options_config_keys.h.
            options.add_session_config_entry("session.x64quantprecision", "1")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        (given,) = (one.name for one in session.get_inputs())
        return lambda batch: dict(zip(names, session.run(names, {given: batch}), strict=True))
