"""From a face chip to the network's input: one function, used by training and by prediction."""

import numpy as np
import PIL.Image


def resize(chip: PIL.Image.Image, size: int, resample: str = "bilinear") -> np.ndarray:
    """A face chip as (size, size, 3) uint8 RGB, with Pillow's antialiased resampling."""
    if chip.mode != "RGB":
        chip = chip.convert("RGB")
    if chip.size != (size, size):
        chip = chip.resize((size, size), PIL.Image.Resampling[resample.upper()])
    return np.asarray(chip)


def preprocess(pixels: np.ndarray) -> np.ndarray:
    """(N, S, S, 3) uint8 RGB to float32 as ResNet50's ImageNet weights expect it (BGR, mean-free).

    Source: ``keras.applications.resnet50.preprocess_input`` ("caffe" mode). It changes float arrays
    in place, so it is given a copy; the input stays as it is.
    """
    import keras  # here, because a caller that only cuts chips need not load it

    return keras.applications.resnet50.preprocess_input(pixels.astype(np.float32), data_format="channels_last")
