"""Measures over which ranges activations are rounded for int8, into ``activation_ranges.json`` of a model folder.

Validation faces go through the float32 graph, some of them changed as photos change faces, and ONNX Runtime's
calibrators read a range off what each rounded tensor held, 0.001 % of outliers left out. From these and the weights the
int8 graph is built (:mod:`hf_model.network.quantized`), by anyone and without faces.
"""

import json
import pathlib
import tempfile

import numpy as np
import PIL.Image

from hf_model.download import WEIGHTS_NAME, write_whole
from hf_model.network.engines.graph_files import RANGES, network_file
from hf_model.network.engines.onnx_runtime import import_onnxruntime
from hf_model.network.graphs import Graph, network_graph
from hf_model.network.layout import network_of
from hf_model.network.preprocessing import pixel_values
from hf_model.network.quantized import QuantizedGraph
from hf_model.network.weights import read_tensors
from hf_model.pictures.resize import resize
from hf_model.settings import Settings
from train.data import Chips
from train.measure.context import Context
from train.measure.raw.changes import load_rows

CHIPS = 300
BATCH = 4
PERCENTILE = 99.999  # of a tensor's values, beyond which outliers are cut off
ROUNDING_ERROR = 5e-5  # of a step: three of the last digits of a float32 near 255
HAIR, MOST_HAIRS = 2e-5, 500
CHANGED_SHARE = 3  # one of so many chips is changed by one of the robustness rows


class OperandNames(Graph):
    """A graph that remembers what an int8 one would round, and the operands of each sum by the name of what is rounded
    of it."""

    def __init__(self):
        super().__init__("age_gender")
        self.names: list[str] = []
        self.sums: dict[str, list[str]] = {}

    def node(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        if kind == "Add":
            self.sums[f"{output}_relu"] = inputs
        if kind == "MaxPool" and inputs[0] in self.sums:  # every second pixel of it
            self.sums[output] = self.sums.pop(inputs[0])
        return super().node(kind, inputs, output, **attributes)

    def operand(self, x: str) -> str:
        if x not in self.names:
            self.names.append(x)
        return x


def calibration_batches(chips: Chips, count: int, settings: Settings) -> list[np.ndarray]:
    """Network input of a random ``count`` of the chips, in batches; every third chip is changed."""
    random = np.random.default_rng(0)
    rows, changes = random.permutation(len(chips))[:count], list(load_rows().values())
    pictures = []
    for place, row in enumerate(rows):
        image = chips.images[row]
        change = changes[place // CHANGED_SHARE % len(changes)] if place % CHANGED_SHARE == 0 else None
        pictures.append(image if change is None else np.asarray(change(image)))
    size, resample = settings.input.size, settings.input.resample
    crops = np.stack([resize(PIL.Image.fromarray(picture), size, resample) for picture in pictures])
    inputs = pixel_values(crops, network_of(settings.network).preprocessing)
    return [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]


def measure_ranges(tensors: dict, settings: Settings, batches: list[np.ndarray]) -> dict[str, list[float]]:
    """From the name of each rounded tensor to its lowest and highest value.

    Args:
        tensors: the weights, by Keras variable path.
        settings: of the model.
        batches: input of the graph.
    """
    import_onnxruntime()
    from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator

    graph = OperandNames()
    content = network_graph(tensors, network_of(settings.network), settings.heads, settings.input.size, graph)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        path.write_bytes(content)
        calibrator = create_calibrator(
            path,
            op_types_to_calibrate=["Gather", "Identity", "Relu", "Clip", "MaxPool", "Conv", "Add"],
            augmented_model_path=str(path.with_name("augmented.onnx")),
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"percentile": PERCENTILE, "num_bins": 4096},
        )
        for batch in batches:  # one at a time: it holds all that a call made
            calibrator.collect_data(iter_reader(batch))
        data = calibrator.compute_data()
    found = {name: data[name].range_value for name in graph.names}
    ranges = {
        name: [round(float(np.min(low)), 6), round(float(np.max(high)), 6)] for name, (low, high) in found.items()
    }
    return without_ties(ranges, graph.sums)


def ties(ranges: dict[str, list[float]], operands: list[str], result: str) -> int:
    """How many pairs of whole numbers sum to within a rounding error of a half, between two steps of the result."""
    graph, whole = QuantizedGraph(ranges), np.arange(256.0)
    first, second = (
        float(np.float32(graph.step(x) / graph.step(result))) * (whole - float(graph.zero(x))) for x in operands
    )
    total = (first[:, None] + second).ravel()
    total = total[(total > 0) & (total < 256)]  # what is negative becomes 0
    return int((np.abs(total - np.floor(total) - 0.5) < ROUNDING_ERROR).sum())


def without_ties(ranges: dict[str, list[float]], sums: dict[str, list[str]]) -> dict[str, list[float]]:
    """The ranges, the first operand's of each sum widened by a hair, so that engines agree to the last bit.

    A convolution in int8 is exact. A sum is not: its operands are scaled in float32, some engines round once where
    others round twice, and a half goes up here and down there. One value in ten thousand that differs moves an age by
    0.2 years in the mean.

    Args:
        ranges: by name.
        sums: from the name of a sum's result to its two operands.
    """
    made = {name: list(ends) for name, ends in ranges.items()}
    for result, operands in sums.items():
        own = made[operands[0]]
        for hair in range(MOST_HAIRS):
            made[operands[0]] = [round(end * (1 + HAIR * hair), 6) for end in own]
            if not ties(made, operands, result):
                break
        else:
            raise ValueError(f"{result}: every range of {operands[0]} within a hundredth leaves sums that are a half.")
    return made


def iter_reader(batch: np.ndarray):
    """One batch, as the calibrators ask for it."""
    import_onnxruntime()
    from onnxruntime.quantization import CalibrationDataReader

    class OneBatch(CalibrationDataReader):
        def __init__(self):
            self.left = [{"pixel_values": batch}]

        def get_next(self):
            return self.left.pop() if self.left else None

    return OneBatch()


def run(context: Context) -> None:
    """Writes the model's activation ranges, and builds the graph from them."""
    settings, count = context.settings, context.limit or CHIPS
    batches = calibration_batches(context.all_chips["validation"], count, settings)
    ranges = measure_ranges(read_tensors(context.model / WEIGHTS_NAME), settings, batches)
    write_whole(context.model / RANGES, json.dumps({"ranges": ranges, "exact": []}, indent=1) + "\n")
    print(f"Wrote {context.model / RANGES}: {len(ranges)} ranges from {count} faces.")
    print(f"The int8 graph: {network_file(settings, context.model, 'int8')}")
