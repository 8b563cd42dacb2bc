"""The network's pass alone, for every engine and precision, beside what the processor can do: `python -m
benchmarks.bench_engines`.

Batches of 8, in turns, medians; each side as ratio to ONNX Runtime in float32. The processor's own speed is that of
large matrix products on OpenVINO in the same types, so that the share of it that the network reaches can be read.
Written to ``benchmarks/engines.json``.
"""

import argparse
import pathlib
import statistics
import time

import numpy as np

from benchmarks.common import write_report
from hf_model.network.engines.choice import make_engine
from hf_model.network.engines.openvino_engine import OpenVinoEngine
from hf_model.settings import Settings
from train.measure.report.engines import runnable

MODEL = pathlib.Path("hf_model")
MULTIPLY_ADDS = 3.86e9  # of one face through ResNet50 at 224 pixels (He et al., 2016, table 1)
BASE = "onnx/float32"
SIDE = 2048  # of the matrices that the processor's own speed is measured on


def matrix_speed(precision: str) -> float:
    """Multiply-adds a second of the processor on square matrices, through OpenVINO."""
    openvino = OpenVinoEngine().package()
    from openvino import opset13 as ops

    x = ops.parameter([SIDE, SIDE], np.float32, name="x")
    random = np.random.default_rng(0)
    kernel = random.uniform(-1, 1, (SIDE, SIDE)).astype(np.float32)
    y = x
    if precision == "int8":
        y = ops.fake_quantize(x, np.float32(0), np.float32(1), np.float32(0), np.float32(1), 256)
        whole = ops.convert(ops.constant(np.round(127 * kernel).astype(np.int8)), "f32")
        weights = ops.multiply(whole, np.float32(1 / 127))
    else:
        weights = ops.constant(kernel)
    model = openvino.Model([ops.matmul(y, weights, False, False)], [x])
    hint = "bf16" if precision == "bfloat16" else "f32"
    request = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint}).create_infer_request()
    batch = random.uniform(0, 1, (SIDE, SIDE)).astype(np.float32)
    request.infer([batch])
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        request.infer([batch], share_inputs=True)
        taken.append(time.perf_counter() - start)
    return SIDE**3 / min(taken)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_engines", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args(argv)
    settings = Settings.load(MODEL)
    size = settings.input.size
    batch = np.random.default_rng(0).integers(0, 256, (8, size, size, 3), dtype=np.uint8)
    forwards = {
        f"{engine}/{precision}": make_engine(engine, precision).load(settings, MODEL)
        for engine, precision in runnable(MODEL)
    }
    taken: dict[str, list[float]] = {name: [] for name in forwards}
    for turn in range(args.repeats + 2):
        for name, forward in forwards.items():
            start = time.perf_counter()
            forward(batch)
            if turn > 1:
                taken[name].append(time.perf_counter() - start)
    seconds = {name: statistics.median(times) for name, times in taken.items()}
    speeds = {precision: matrix_speed(precision) for precision in {name.split("/")[1] for name in forwards}}
    figures = {
        name: {
            "per_second": round(len(batch) / value, 2),
            "times_base": round(seconds[BASE] / value, 2),
            "share_of_processor": round(len(batch) * MULTIPLY_ADDS / value / speeds[name.split("/")[1]], 2),
        }
        for name, value in seconds.items()
    }
    processor = {precision: round(speed / 1e9, 1) for precision, speed in speeds.items()}
    report = {"base": BASE, "engines": figures, "processor_billion_multiply_adds_a_second": processor}
    write_report("engines", ("openvino", "onnxruntime", "tensorflow", "keras", "numpy"), report)


if __name__ == "__main__":
    main()
