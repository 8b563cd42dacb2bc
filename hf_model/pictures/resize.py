"""From a face chip to the size of the network's input: one function, used by training and by prediction."""

import numpy as np
import PIL.Image


def resize(chip: PIL.Image.Image, size: int, resample: str = "bilinear") -> np.ndarray:
    """A face chip as (size, size, 3) uint8 RGB, with Pillow's antialiased resampling."""
    if chip.mode != "RGB":
        chip = chip.convert("RGB")
    if chip.size != (size, size):
        chip = chip.resize((size, size), PIL.Image.Resampling[resample.upper()])
    return np.asarray(chip)
