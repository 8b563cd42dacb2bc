"""From a face's pixels to the network's input: one function, used by training and by prediction."""

import numpy as np

# Blue, green and red of ImageNet's training pictures, as Keras has them.
IMAGENET_MEANS = np.array([103.939, 116.779, 123.68], np.float32)


def preprocess(pixels: np.ndarray) -> np.ndarray:
    """(N, S, S, 3) uint8 RGB to float32 as ResNet50's ImageNet weights expect it (BGR, mean-free).

    The very numbers of ``keras.applications.resnet50.preprocess_input`` (its "caffe" mode; a test compares them), which
    is not called because importing Keras loads TensorFlow, and the fast engines do without.
    """
    return pixels[..., ::-1].astype(np.float32) - IMAGENET_MEANS
