"""BatchNorm on each batch's own statistics, for :func:`hf_model.network.folding.run_backbone`.

Keras's own layer costs a third of a training step on PyTorch, where it is computed from single operations. There
``torch.nn.functional.batch_norm`` does it in one, and moves the running statistics in place; TensorFlow and JAX
compute it from Keras's operations, which they compile.

Source: Ioffe & Szegedy, Batch Normalization, ICML 2015.
"""

import keras
from keras import ops


def absorb_bias(convolution: keras.Layer, normalization: keras.Layer) -> None:
    """Moves a convolution's bias into the running mean of the BatchNorm after it: the same function.

    What a batch's own mean is taken from has no use for a bias, and computes nothing for it then.
    """
    normalization.moving_mean.assign(normalization.moving_mean.value - convolution.bias.value)
    convolution.bias.assign(ops.zeros_like(convolution.bias.value))


def normalize(layer: keras.layers.BatchNormalization, x, channels_first: bool, rate: float):
    """``x`` normalized by its own statistics; the layer's running ones move towards them.

    Args:
        layer: whose variables are used.
        x: (N, C, H, W) where ``channels_first``, else (N, H, W, C), in any type; the statistics are float32.
        rate: by how much this moves the running ones.
    """
    if keras.backend.backend() == "torch" and channels_first:
        import torch

        return torch.nn.functional.batch_norm(
            x,
            layer.moving_mean.value,
            layer.moving_variance.value,
            layer.gamma.value,
            layer.beta.value,
            training=True,
            momentum=rate,
            eps=layer.epsilon,
        )
    axis = 1 if channels_first else -1
    over = [0, 2, 3] if channels_first else [0, 1, 2]
    values = ops.cast(x, "float32")
    mean, variance = ops.moments(values, axes=over)
    for running, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        running.assign(running.value * (1 - rate) + ops.stop_gradient(now) * rate)
    y = ops.batch_normalization(values, mean, variance, axis, layer.beta, layer.gamma, layer.epsilon)
    return ops.cast(y, x.dtype)
