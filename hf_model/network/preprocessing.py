"""From a face's pixels to the network's input: one function, used by training and by prediction."""

from collections.abc import Callable

import numpy as np

# Blue, green and red of ImageNet's training pictures, as Keras has them.
IMAGENET_MEANS = np.array([103.939, 116.779, 123.68], np.float32)
CENTRE, SPREAD = np.float32(127), np.float32(128)  # of EfficientNet-Lite, as its training had them


def imagenet_bgr(pixels: np.ndarray) -> np.ndarray:
    """BGR, mean-free: the very numbers of ``keras.applications.resnet50.preprocess_input`` (its "caffe" mode; a test
    compares them), which is not called because importing Keras loads TensorFlow, and the fast engines do without."""
    return pixels[..., ::-1].astype(np.float32) - IMAGENET_MEANS


def centred(pixels: np.ndarray) -> np.ndarray:
    """RGB from about -1 to 1: (values - 127) / 128.

    Checked with the published classifier: a cat, a cup of espresso and a shuttle are named more surely so than with
    ImageNet's means and deviations, which the package of its weights names.
    """
    return (pixels.astype(np.float32) - CENTRE) / SPREAD


PREPROCESSING: dict[str, Callable[[np.ndarray], np.ndarray]] = {"imagenet_bgr": imagenet_bgr, "centred": centred}


def preprocess(pixels: np.ndarray, preprocessing: str = "imagenet_bgr") -> np.ndarray:
    """(N, S, S, 3) uint8 RGB to float32 as the network's ImageNet weights expect it.

    Args:
        preprocessing: of :class:`hf_model.network.layout.Network`.
    """
    return PREPROCESSING[preprocessing](pixels)
