"""The network with int8 convolutions, as an ONNX graph with quantize and dequantize nodes.

ONNX Runtime and OpenVINO compute what lies between such nodes in whole numbers. Activations are uint8 over ranges
measured on faces (``python -m train.measure int8``), kernels int8 a channel.

Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference,
CVPR 2018.
"""

import numpy as np

from .graphs import Graph


class QuantizedGraph(Graph):
    """A graph whose convolutions and sums take rounded operands.

    Args:
        ranges: from the name of a tensor to the lowest and highest value that it is rounded over.
        exact: convolutions that stay in float32, by name.
    """

    def __init__(self, ranges: dict[str, list[float]], exact: list[str] | tuple[str, ...] = ()):
        super().__init__("age_gender_int8")
        self.ranges = ranges
        self.exact = frozenset(exact)
        self.rounded: dict[str, str] = {}

    def step(self, x: str) -> np.ndarray:
        """The distance of a tensor's neighbouring values, of which there are 256."""
        low, high = self.ranges[x]
        return np.asarray((max(high, 0.0) - min(low, 0.0)) / 255, np.float32)

    def zero(self, x: str) -> np.ndarray:
        """The whole number that stands for a tensor's 0."""
        return np.asarray(np.clip(round(-min(self.ranges[x][0], 0.0) / float(self.step(x))), 0, 255), np.uint8)

    def operand(self, x: str) -> str:
        """The tensor rounded to uint8 and back, once however often it is used; 0 stays 0."""
        if x not in self.rounded:
            constants = [self.constant(f"{x}_step", self.step(x)), self.constant(f"{x}_zero", self.zero(x))]
            whole = self.node("QuantizeLinear", [x, *constants], f"{x}_uint8")
            self.rounded[x] = self.node("DequantizeLinear", [whole, *constants], f"{x}_rounded")
        return self.rounded[x]

    def operands(self, x: str, name: str, kernel: np.ndarray, scale: np.ndarray | None, bias: np.ndarray) -> list[str]:
        """The three inputs of a convolution: uint8, an int8 kernel (out, in, h, w), and an int32 bias."""
        if name in self.exact:
            return [x, self.kernel(f"{name}_kernel", kernel, scale), self.constant(f"{name}_bias", bias)]
        values = kernel.astype(np.float32) * (np.float32(1) if scale is None else scale)
        steps = np.abs(values).max(axis=(1, 2, 3)) / np.float32(127)
        steps = np.maximum(steps, np.abs(bias) / (2**30 * self.step(x)))  # of a dead channel: its bias is to fit int32
        whole = np.round(values / steps[:, None, None, None]).astype(np.int8)
        fine = self.step(x) * steps
        return [
            self.operand(x),
            self._restored(f"{name}_kernel", whole, steps),
            self._restored(f"{name}_bias", np.round(bias / fine).astype(np.int32), fine),
        ]

    def _restored(self, name: str, whole: np.ndarray, steps: np.ndarray) -> str:
        """Whole numbers with a step for each channel, their first axis."""
        zeros = np.zeros(len(steps), whole.dtype)
        constants = [
            self.constant(f"{name}_{part}", values)
            for part, values in (("whole", whole), ("steps", steps), ("zeros", zeros))
        ]
        return self.node("DequantizeLinear", constants, name, axis=0)
