"""From a face's pixels to the network's input: one function, used by training and by prediction."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """What a network's ImageNet weights expect: (values - ``mean``) / ``spread``, of values 0 to 255, ``mean`` of red,
    green and blue; then, where ``is_bgr``, blue first."""

    mean: tuple[float, float, float]
    spread: float = 1.0
    is_bgr: bool = False


PREPROCESSING = {
    # The very numbers of keras.applications.resnet50.preprocess_input (its "caffe" mode; a test compares them), which
    # is not called because importing Keras loads TensorFlow, and the fast engines do without.
    "imagenet_bgr": Preprocessing((123.68, 116.779, 103.939), is_bgr=True),
    # Of EfficientNet-Lite. Checked with the published classifier: a cat, a cup of espresso and a shuttle are named more
    # surely so than with ImageNet's means and deviations, which the package of its weights names.
    "centred": Preprocessing((127.0, 127.0, 127.0), 128.0),
}


def pixel_values(pixels: np.ndarray, preprocessing: str = "imagenet_bgr") -> np.ndarray:
    """(N, S, S, 3) uint8 RGB to (N, 3, S, S) float32, what graphs and transformers' models take: the same numbers as
    :func:`preprocess`, channels first and red first; which colour the weights want first, those know."""
    wanted = PREPROCESSING[preprocessing]
    first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    centred = first - np.array(wanted.mean, np.float32)[:, None, None]
    return centred if wanted.spread == 1 else centred / np.float32(wanted.spread)


def preprocess(pixels: np.ndarray, preprocessing: str = "imagenet_bgr") -> np.ndarray:
    """(N, S, S, 3) uint8 RGB to float32 as the network's ImageNet weights expect it.

    Args:
        preprocessing: a name of :data:`PREPROCESSING`.
    """
    wanted = PREPROCESSING[preprocessing]
    mean = np.array(wanted.mean, np.float32)
    if wanted.is_bgr:
        pixels, mean = pixels[..., ::-1], mean[::-1]
    centred = pixels.astype(np.float32) - mean
    return centred if wanted.spread == 1 else centred / np.float32(wanted.spread)
