"""A network with its BatchNorm folded into the convolutions: the same function in fewer operations.

In inference mode a BatchNorm is a fixed scale and shift per channel, so it can be multiplied into the
kernel of the convolution before it. Prediction uses this, and so does training, which keeps the
backbone's BatchNorm in inference mode: the variables stay those of the Keras model and receive their
gradients through the folding. Measured here, see ``benchmarks/``.

Source: Jacob et al., Quantization and Training of Neural Networks, CVPR 2018, section 3.2.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from .layout import DISTRIBUTION, HEADS, STAGES, Convolution, Network, head_layers

ACTIVATIONS = {"relu": ops.relu, "relu6": ops.relu6, "softmax": ops.softmax, "sigmoid": ops.sigmoid, None: lambda x: x}


def fold(convolution: keras.Layer, normalization: keras.Layer) -> tuple:
    """Kernel (h, w, in, out) and bias (out,) of a convolution followed by its BatchNorm in inference mode; the kernel
    of a depthwise one is (h, w, out, 1)."""
    scale = normalization.gamma * ops.rsqrt(normalization.moving_variance + normalization.epsilon)
    bias = convolution.bias if convolution.bias is not None else 0.0
    of_kernel = ops.expand_dims(scale, -1) if isinstance(convolution, keras.layers.DepthwiseConv2D) else scale
    return convolution.kernel * of_kernel, (bias - normalization.moving_mean) * scale + normalization.beta


def fold_backbone(model: keras.Model, network: Network) -> dict[str, tuple]:
    """``{"conv2_block1_1": (kernel, bias), ...}`` for every convolution of the backbone."""
    names = [one.name for one in network.convolutions()]
    return {name: fold(model.get_layer(f"{name}_conv"), model.get_layer(f"{name}_bn")) for name in names}


def run_backbone(
    network: Network,
    folded: Callable[[str], tuple] | dict[str, tuple],
    x,
    first_stage: int = 1,
    last_stage: int = STAGES,
    dtype: str = "float32",
    normalize: Callable[[str, Any], Any] | None = None,
):
    """Runs stages ``first_stage`` to ``last_stage`` of a backbone.

    Args:
        network: its description.
        folded: what :func:`fold_backbone` returned, or a function from the same names.
        x: (N, S, S, 3) preprocessed pictures, or the activations before ``first_stage``.
        first_stage, last_stage: 1 (the stem) to 5.
        dtype: of the computation, e.g. ``"bfloat16"``; the sums of a folding stay float32.
        normalize: for training with BatchNorm not folded: from a convolution's name and its output, channels first on
            PyTorch, to that output normalized. The pairs are then of the plain kernel and None.

    Returns:
        The activations after ``last_stage``: (N, S/32, S/32, features) after stage 5.
    """
    get = folded if callable(folded) else folded.__getitem__

    # On PyTorch, Keras copies a channels-last picture twice at every convolution; a transposed view costs nothing.
    channels_first = keras.backend.backend() == "torch"
    layout = "channels_first" if channels_first else "channels_last"

    def convolve(one: Convolution, x):
        kernel, bias = get(one.name)
        before, after = one.pads
        padding = "valid"
        if one.kernel > 1 and before == after == one.kernel // 2 and one.stride == 1:
            padding = "same"
        elif before or after:
            x = pad(x, before, after)
        operation = ops.depthwise_conv if one.depthwise else ops.conv
        y = operation(x, ops.cast(kernel, dtype), strides=one.stride, padding=padding, data_format=layout)
        if normalize is not None:
            return ACTIVATIONS[one.activation](normalize(one.name, y))
        bias = ops.cast(bias, dtype)
        # Not "+": Keras makes this a BiasAdd, which TensorFlow computes inside its convolution, and ReLU with it.
        return ACTIVATIONS[one.activation](ops.add(y, ops.reshape(bias, (-1, 1, 1)) if channels_first else bias))

    def pad(x, before: int, after: int):
        sides = ((before, after), (before, after))
        return ops.pad(x, ((0, 0), (0, 0), *sides) if channels_first else ((0, 0), *sides, (0, 0)))

    x = ops.cast(x, dtype)
    if channels_first:
        x = ops.transpose(x, (0, 3, 1, 2))
    if first_stage == 1:
        x = convolve(network.stem, x)
        x = ops.max_pool(pad(x, 1, 1), 3, strides=2, data_format=layout) if network.pools else x
    for block in network.blocks_of(first_stage, last_stage):
        x = block.apply(x, convolve, ACTIVATIONS)
    if last_stage == STAGES and network.last is not None:
        x = convolve(network.last, x)
    return ops.transpose(x, (0, 2, 3, 1)) if channels_first else x


def fold_model(model: keras.Model, network: Network) -> dict[str, tuple]:
    """Kernels and biases of the whole model, backbone and heads, for :func:`run_model`."""
    folded = fold_backbone(model, network)
    for head in HEADS:
        folded[f"{head}_conv"] = fold(model.get_layer(f"{head}_conv"), model.get_layer(f"{head}_bn"))
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    return folded | {layer.name: (layer.kernel.value, layer.bias.value if layer.use_bias else 0.0) for layer in dense}


def run_model(network: Network, folded: dict[str, tuple], x) -> dict:
    """What the model computes in inference mode, from :func:`fold_model`'s arrays.

    Args:
        network: the backbone's description.
        folded: from :func:`fold_model`.
        x: (N, S, S, 3) float32 preprocessed pictures.

    Returns:
        What :func:`hf_model.network.architecture.build_model` says, and of each head ``age_map`` and ``gender_map``,
        its feature map after ReLU, (N, S/32, S/32, filters).
    """
    features = run_backbone(network, folded, x)
    outputs = {}
    for head in HEADS:
        kernel, bias = folded[f"{head}_conv"]
        outputs[f"{head}_map"] = y = ops.relu(
            ops.add(ops.conv(features, kernel, padding="same", data_format="channels_last"), bias)
        )
        y = ops.mean(y, axis=(1, 2))
        for layer, activation in head_layers(head, DISTRIBUTION in folded):
            kernel, bias = folded[layer]
            outputs[layer] = y = ACTIVATIONS[activation](ops.matmul(y, kernel) + bias)
        outputs.pop(f"{head}_dense")
    return outputs
