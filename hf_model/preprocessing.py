"""From a face chip to the network's input: one function, used by training and by prediction."""

import numpy as np
import PIL.Image

# keras.applications.resnet50.preprocess_input: BGR, minus ImageNet's mean per channel ("caffe" mode).
# Written out because importing Keras for three numbers takes seconds; a test compares the two.
IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)


def resize(chip: PIL.Image.Image, size: int, resample: str = "bilinear") -> np.ndarray:
    """A face chip as (size, size, 3) uint8 RGB, with Pillow's antialiased resampling."""
    if chip.size != (size, size):
        chip = chip.resize((size, size), PIL.Image.Resampling[resample.upper()])
    return np.asarray(chip.convert("RGB"))


def preprocess(pixels: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 RGB to float32 as ResNet50's ImageNet weights expect it; the input is not changed."""
    return pixels[..., ::-1].astype(np.float32) - IMAGENET_MEAN_BGR
