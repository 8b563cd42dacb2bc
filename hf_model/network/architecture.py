"""The Keras model: a backbone and two heads, every layer named so that weights can be keyed by path."""

import keras
from keras import layers

from ..settings import Heads
from .layout import DEFAULT, DISTRIBUTION, HEADS, Convolution, Network, network_of

# Near the mean age of UTKFace: with a ReLU at the end, an age unit that starts below zero for every
# face has no gradient and stays dead.
INITIAL_AGE = 33.0


def build_model(
    heads: Heads, input_size: int | None = None, backbone_weights: str | None = None, network: str = DEFAULT
) -> keras.Model:
    """Builds the untrained two-headed model.

    ResNet50 without its top, or the backbone of another description, then for each head Conv2D → BatchNorm → ReLU →
    global average pooling → Dense → the head's last layers. Gender ends in a sigmoid (probability of "female"). Age
    goes through a softmax over whole years, its distribution, and ends in a ReLU unit whose kernel is fixed, the years
    themselves: the age is the distribution's mean, never negative. Without ``age_bins`` it is the plain
    unit of version 0.1.0.

    Args:
        heads: of the settings.
        input_size: side of the square input in pixels; None accepts any multiple of 32.
        backbone_weights: None (random), ``"imagenet"`` (downloaded by Keras) or a ``.h5`` path; of ResNet50 alone.
        network: a name of :data:`hf_model.network.layout.NETWORKS`.

    Returns:
        A model from (N, S, S, 3) float32, as :func:`hf_model.network.preprocessing.preprocess` makes it, to ``{"age":
        (N, 1), "gender": (N, 1)}`` float32, and with ``age_bins`` ``"age_distribution"`` (N, age_bins).

    Source: He et al., Deep Residual Learning, CVPR 2016; ``keras.applications.ResNet50``. The age as a
    distribution's mean: Rothe et al., DEX, ICCV workshops 2015.
    """
    shape = (input_size, input_size, 3)
    if network == DEFAULT:
        backbone = keras.applications.ResNet50(
            include_top=False, weights=backbone_weights, input_shape=shape, name=network
        )
    else:
        backbone = _backbone(network_of(network), shape)
    outputs: dict = {}
    for name in HEADS:
        outputs |= _head(name, backbone.output, heads)
    return keras.Model(backbone.input, outputs, name="age_gender")


def _backbone(network: Network, shape: tuple) -> keras.Model:
    """A described backbone, with random weights."""
    pixels = keras.Input(shape)
    x = _convolution(network.stem, pixels, network.epsilon)
    if network.pools:
        raise NotImplementedError(f"{network.name}: its pooling is keras.applications' own.")
    for block in network.blocks:
        y = x
        for one in block.path:
            y = _convolution(one, y, network.epsilon)
        if block.adds:
            shortcut = _convolution(block.projection, x, network.epsilon) if block.projection else x
            y = layers.Add(name=f"{block.name}_sum")([y, shortcut])
        x = layers.Activation(block.activation, name=f"{block.name}_out")(y) if block.activation else y
    x = _convolution(network.last, x, network.epsilon) if network.last else x
    return keras.Model(pixels, x, name=network.name)


def _convolution(one: Convolution, x, epsilon: float):
    """A described convolution with its BatchNorm and activation; its pads are those of "same"."""
    options = {"strides": one.stride, "padding": "same", "use_bias": False, "name": f"{one.name}_conv"}
    if one.depthwise:
        x = layers.DepthwiseConv2D(one.kernel, **options)(x)
    else:
        x = layers.Conv2D(one.filters, one.kernel, **options)(x)
    x = layers.BatchNormalization(epsilon=epsilon, name=f"{one.name}_bn")(x)
    return layers.Activation(one.activation, name=f"{one.name}_{one.activation}")(x) if one.activation else x


def _head(name: str, features, heads: Heads) -> dict:
    x = layers.Conv2D(heads.conv_filters, heads.conv_kernel, padding="same", use_bias=False, name=f"{name}_conv")(
        features
    )
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)
    x = layers.Dense(heads.dense_units, activation="relu", name=f"{name}_dense")(x)
    if name == "gender":
        return {name: layers.Dense(1, activation="sigmoid", name=name)(x)}
    if heads.age_bins:
        distribution = layers.Dense(heads.age_bins, activation="softmax", name=DISTRIBUTION)(x)
        mean = layers.Dense(1, activation="relu", use_bias=False, trainable=False, kernel_initializer=years, name=name)
        return {name: mean(distribution), DISTRIBUTION: distribution}
    # The wide initializer lets years, tens of units apart, be reached at a learning rate of 1e-4.
    plain = layers.Dense(
        1,
        activation="relu",
        kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=0),
        bias_initializer=keras.initializers.Constant(INITIAL_AGE),
        name=name,
    )
    return {name: plain(x)}


def years(shape, dtype=None):
    """The fixed kernel of the age's last layer: the whole years from 0, shape (age_bins, 1)."""
    return keras.ops.reshape(keras.ops.arange(shape[0], dtype=dtype), shape)


def head_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of the two heads, in order."""
    return [layer for layer in model.layers if layer.name.split("_")[0] in HEADS]


def backbone_layers(model: keras.Model, prefix: str = "") -> list[keras.Layer]:
    """The layers of the backbone whose names start with ``prefix``, such as ``"conv5"``."""
    heads = {layer.name for layer in head_layers(model)}
    return [layer for layer in model.layers if layer.name not in heads and layer.name.startswith(prefix)]
