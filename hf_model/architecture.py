"""The network: ResNet50 and two heads, every layer named so that weights can be keyed by path."""

import keras
from keras import layers

# Near the mean age of UTKFace: with a ReLU at the end, an age unit that starts below zero for every
# face has no gradient and stays dead.
INITIAL_AGE = 33.0
BACKBONE_NAME = "resnet50"
HEADS = ("age", "gender")


def build_model(heads: dict, input_size: int | None = None, backbone_weights: str | None = None) -> keras.Model:
    """Builds the untrained two-headed model.

    ResNet50 without its top, then for each head Conv2D → BatchNorm → ReLU → global average pooling
    → Dense → Dense(1). Age ends in a ReLU (years, never negative), gender in a sigmoid
    (probability of "female").

    Args:
        heads: ``conv_filters``, ``conv_kernel`` and ``dense_units``, as in ``config.json``.
        input_size: side of the square input in pixels; None accepts any side of at least 32.
        backbone_weights: None (random), ``"imagenet"`` (downloaded by Keras) or a ``.h5`` path.

    Returns:
        A model from (N, S, S, 3) float32, as ``preprocess_input`` makes it, to
        ``{"age": (N, 1), "gender": (N, 1)}`` float32.

    Source: He et al., Deep Residual Learning, CVPR 2016; ``keras.applications.ResNet50``.
    """
    backbone = keras.applications.ResNet50(
        include_top=False, weights=backbone_weights, input_shape=(input_size, input_size, 3), name=BACKBONE_NAME
    )
    outputs = {name: _head(name, backbone.output, heads) for name in HEADS}
    return keras.Model(backbone.input, outputs, name="age_gender")


def _head(name: str, features, heads: dict):
    x = layers.Conv2D(heads["conv_filters"], heads["conv_kernel"], padding="same", use_bias=False, name=f"{name}_conv")(
        features
    )
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    x = layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)
    x = layers.Dense(heads["dense_units"], activation="relu", name=f"{name}_dense")(x)
    if name == "age":
        # The wide initializer lets years, tens of units apart, be reached at a learning rate of 1e-4.
        return layers.Dense(
            1,
            activation="relu",
            kernel_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=0),
            bias_initializer=keras.initializers.Constant(INITIAL_AGE),
            name="age",
        )(x)
    return layers.Dense(1, activation="sigmoid", name="gender")(x)


def head_layers(model: keras.Model) -> list[keras.Layer]:
    """The layers of the two heads, in order."""
    return [layer for layer in model.layers if layer.name.split("_")[0] in HEADS]


def backbone_layers(model: keras.Model, prefix: str = "") -> list[keras.Layer]:
    """The layers of ResNet50 whose names start with ``prefix``, such as ``"conv5"``."""
    heads = {layer.name for layer in head_layers(model)}
    return [layer for layer in model.layers if layer.name not in heads and layer.name.startswith(prefix)]
