"""The network as an ONNX graph, built from their weights alone: neither Keras nor TensorFlow is needed.

ONNX Runtime and OpenVINO read the same graphs. BatchNorm is folded into the convolutions, as for Keras
(:mod:`hf_model.network.folding`); pictures and feature maps are channels-last at the graph's doors, as Keras has them.
"""

import json

import numpy as np

try:
    import onnx
    import onnx.checker
    import onnx.helper
    import onnx.numpy_helper
    import onnx.shape_inference
except ImportError:  # optional: said by the engines that build graphs
    onnx = None  # type: ignore[assignment]

from ..settings import Heads
from .layout import DISTRIBUTION, HEAD_EPSILON, HEADS, LARGEST_STRIDE, Convolution, Network, head_layers
from .preprocessing import PREPROCESSING

OPSET = 17


class Graph:
    """An ONNX graph that grows node by node; tensors are known by their names.

    Args:
        half: keep the kernels of the network as float16, as its weights file does, to be cast and folded with their
            BatchNorm when the graph is loaded: half the size, and the same numbers.
    """

    def __init__(self, name: str, half: bool = False):
        self.name = name
        self.half = half
        self.nodes: list = []
        self.constants: list = []

    def constant(self, name: str, values: np.ndarray) -> str:
        """A tensor that is part of the graph."""
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def kernel(self, name: str, values: np.ndarray, scale: np.ndarray | None = None) -> str:
        """A float32 kernel, times ``scale`` along its first axis: computed here, or at loading where ``half``."""
        if not self.half or values.dtype != np.float16:
            return self.constant(name, values.astype(np.float32) * (np.float32(1) if scale is None else scale))
        name_of_half = self.constant(f"{name}_half", values)
        if scale is None:
            return self.node("Cast", [name_of_half], name, to=onnx.TensorProto.FLOAT)
        whole = self.node("Cast", [name_of_half], f"{name}_whole", to=onnx.TensorProto.FLOAT)
        return self.node("Mul", [whole, self.constant(f"{name}_scale", scale)], name)

    def operand(self, x: str) -> str:
        """What a convolution or a sum is given for a tensor: the tensor itself, or, where a graph is quantized,
        rounded."""
        return x

    def node(self, kind: str, inputs: list[str], output: str, **attributes) -> str:
        """A node with one output; the output's name."""
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(
        self,
        name: str,
        x: str,
        kernel: np.ndarray,
        bias: np.ndarray,
        scale: np.ndarray | None = None,
        stride: int = 1,
        pads: tuple[int, int] = (0, 0),
        depthwise: bool = False,
    ) -> str:
        """With a Keras kernel (h, w, in, out), or (h, w, out, 1) of a depthwise one, of which each output channel is
        scaled."""
        factors = None if scale is None else scale.reshape(-1, 1, 1, 1)
        out_first = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        options = {"group": len(out_first)} if depthwise else {}
        inputs = self.operands(x, name, out_first, factors, bias)
        before, after = pads
        return self.node(
            "Conv",
            inputs,
            name,
            strides=[stride] * 2,
            pads=[before, before, after, after],
            kernel_shape=kernel.shape[:2],
            **options,
        )

    def operands(self, x: str, name: str, kernel: np.ndarray, scale: np.ndarray | None, bias: np.ndarray) -> list[str]:
        """The three inputs of a convolution, its kernel (out, in, h, w)."""
        return [
            self.operand(x),
            self.kernel(f"{name}_kernel", kernel, scale),
            self.constant(f"{name}_bias", bias),
        ]

    def activation(self, kind: str | None, x: str) -> str:
        """``"relu"``, ``"relu6"`` or nothing after a tensor."""
        if kind is None:
            return x
        if kind == "relu":
            return self.node("Relu", [x], f"{x}_relu")
        ends = [self.shared(name, np.asarray(value, np.float32)) for name, value in (("zero", 0), ("six", 6))]
        return self.node("Clip", [x, *ends], f"{x}_relu6")

    def shared(self, name: str, values: np.ndarray) -> str:
        """A constant that several nodes use."""
        return name if any(one.name == name for one in self.constants) else self.constant(name, values)

    def dense(self, name: str, x: str, kernel: np.ndarray, bias: np.ndarray | None) -> str:
        """With a Keras kernel (in, out)."""
        constants = [self.kernel(f"{name}_kernel", kernel)]
        constants += [] if bias is None else [self.constant(f"{name}_bias", bias)]
        return self.node("Gemm", [x, *constants], name)

    def prelu(self, name: str, x: str, slope: np.ndarray) -> str:
        """With one slope a channel: (C,) after a dense layer, (1, 1, C) after a convolution."""
        shape = (-1, 1, 1) if slope.ndim == 3 else (-1,)
        return self.node("PRelu", [x, self.constant(f"{name}_slope", slope.reshape(shape))], name)

    def model(self, inputs: dict[str, list], outputs: dict[str, list], facts: dict[str, str] | None = None) -> bytes:
        """The finished graph as the bytes of an ONNX file; inputs and outputs are float32, by name and shape; ``facts``
        go into its metadata.

        Raises:
            ValueError: the layers do not fit each other.
        """
        first, last = (
            [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in end.items()]
            for end in (inputs, outputs)
        )
        graph = onnx.helper.make_graph(self.nodes, self.name, first, last, initializer=self.constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=8)
        onnx.helper.set_model_props(model, facts or {})
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ValueError(f"{self.name}: {error}") from error
        return model.SerializeToString()


def network_graph(
    tensors: dict[str, np.ndarray], network: Network, heads: Heads, size: int, graph: Graph | None = None
) -> bytes:
    """The age and gender network.

    Args:
        tensors: the content of ``model.safetensors``, by Keras variable path.
        network: the backbone's description.
        heads: of the settings.
        size: side of the input in pixels.
        graph: an empty one to write it into; by default one of float16 kernels.

    Returns:
        A graph from ``pixel_values`` (N, 3, S, S), as :func:`hf_model.network.preprocessing.pixel_values` makes them,
        to ``age_logits`` (N, ages), or ``age_logits`` (N, 1) in years where the model has no distribution, and
        ``gender_logits`` (N, 1), and for each head ``age_map`` and ``gender_map``, its feature map after ReLU,
        (N, S/32, S/32, filters). Softmax, mean and sigmoid are :func:`hf_model.network.layout.answers_of`, in float32
        whatever the precision of the graph. For other libraries there are ``logits`` (N, 2), of male and female, and
        ``age`` (N,), years, too.

    Raises:
        KeyError: a tensor is missing.
        ValueError: tensors do not fit each other.
    """
    graph = graph or Graph("age_gender", half=True)

    def folded(name: str, normalization: str, epsilon: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Kernel, bias and scale of a convolution with its BatchNorm."""
        gamma, beta, mean, variance = (
            tensors[f"{normalization}/{part}"].astype(np.float32)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + np.float32(epsilon))
        bias = tensors.get(f"{name}/bias", np.zeros_like(mean)).astype(np.float32)
        return tensors[f"{name}/kernel"], (bias - mean) * scale + beta, scale

    def convolve(one: Convolution, x: str, stride: int) -> str:
        made = graph.convolution(
            one.name, x, *folded(f"{one.name}_conv", f"{one.name}_bn", network.epsilon), stride, one.pads, one.depthwise
        )
        return graph.activation(one.activation, made)

    if PREPROCESSING[network.preprocessing].is_bgr:
        x = graph.node(
            "Gather", ["pixel_values", graph.constant("blue_first", np.array([2, 1, 0]))], "pixels_first", axis=1
        )
    else:
        x = graph.node("Identity", ["pixel_values"], "pixels_first")
    x = convolve(network.stem, x, network.stem.stride)
    if network.pools:
        x = graph.operand(x)
        x = graph.node(
            "MaxPool", [x], "pool1", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4
        )  # above 0, so 0 may pad
    for block in network.blocks:
        halved = block.reads_every_second
        if halved:  # said so, OpenVINO keeps its strided convolutions in int8
            x = graph.node("MaxPool", [x], f"{block.name}_halved", kernel_shape=[1, 1], strides=[2, 2])
        y = shortcut = x
        if block.projection:
            shortcut = convolve(block.projection, x, 1 if halved else block.projection.stride)
        for place, one in enumerate(block.path):
            y = convolve(one, y, 1 if halved and place == 0 else one.stride)
        if block.adds:
            parts = [graph.operand(part) for part in (y, shortcut)]
            y = graph.node("Add", parts, f"{block.name}_sum")
        x = graph.activation(block.activation, y)
    if network.last is not None:
        x = convolve(network.last, x, network.last.stride)
    outputs: dict[str, list] = {}
    side = size // LARGEST_STRIDE
    for head in HEADS:
        outputs |= _head(graph, head, x, folded, tensors, heads, side)
    outputs |= _for_others(graph, heads)
    return graph.model({"pixel_values": ["N", 3, size, size]}, outputs, facts_of(network, size))


def facts_of(network: Network, size: int) -> dict[str, str]:
    """What a graph says of its input and of its outputs, as JSON by name."""
    wanted = PREPROCESSING[network.preprocessing]
    preprocessing = {
        "size": size,
        "channels": "RGB",
        "mean": wanted.mean,
        "std": [wanted.spread] * 3,
        "range": [0, 255],
    }
    return {
        "preprocessing": json.dumps(preprocessing),
        "id2label": json.dumps({0: "male", 1: "female"}),
        "age": "years",
    }


def _for_others(graph: Graph, heads: Heads) -> dict[str, list]:
    """What libraries expect that know only logits of classes, and the age."""
    graph.node("Mul", ["gender_logits", graph.constant("of_both", np.array([[-0.5, 0.5]], np.float32))], "logits")
    if heads.age_bins:
        years = graph.constant("years", np.arange(heads.age_bins, dtype=np.float32))
        graph.node("MatMul", [graph.node("Softmax", ["age_logits"], "age_shares", axis=1), years], "age")
    else:
        graph.node(
            "Squeeze", [graph.node("Relu", ["age_logits"], "age_above_0"), graph.constant("axis", np.array([1]))], "age"
        )
    return {"logits": ["N", 2], "age": ["N"]}


def _head(graph: Graph, head: str, features: str, folded, tensors: dict, heads: Heads, side: int) -> dict[str, list]:
    """A head's nodes, and the graph's outputs that it makes with their shapes."""

    def dense(layer: str, x: str, name: str) -> str:
        return graph.dense(name, x, tensors[f"{layer}/kernel"], tensors.get(f"{layer}/bias"))

    kernel, bias, scale = folded(f"{head}_conv", f"{head}_bn", HEAD_EPSILON)
    x = graph.convolution(f"{head}_conv", features, kernel, bias, scale, pads=(heads.conv_kernel // 2,) * 2)
    x = graph.node("Relu", [x], f"{head}_features")
    graph.node("Transpose", [x], f"{head}_map", perm=[0, 2, 3, 1])
    outputs: dict[str, list] = {f"{head}_map": ["N", side, side, heads.conv_filters]}
    x = graph.node("GlobalAveragePool", [x], f"{head}_pool")
    x = graph.node("Flatten", [x], f"{head}_pooled")
    layers = [layer for layer, _ in head_layers(head, bool(heads.age_bins))]
    if DISTRIBUTION in layers:  # its mean is no layer that is learned, and taken outside
        layers = layers[: layers.index(DISTRIBUTION) + 1]
    for layer in layers[:-1]:
        x = graph.node("Relu", [dense(layer, x, f"{layer}_sum")], layer)
    dense(layers[-1], x, f"{head}_logits")
    width = heads.age_bins if head == "age" and heads.age_bins else 1
    return outputs | {f"{head}_logits": ["N", width]}
