"""What a training begins from: the weights of another model, as far as they fit."""

import os

import keras
import numpy as np
import safetensors.numpy

from hf_model.network.architecture import DISTRIBUTION

# Spread in years of the distribution that a plain age head is turned into: about the errors of version 0.1.0.
FIRST_SPREAD = 6.0


def start_from(network: keras.Model, path: str | os.PathLike) -> list[str]:
    """Fills a network's variables from a weights file, each that fits by path and shape.

    A plain age unit (version 0.1.0) becomes a distribution: its age m turns into logits (k m - k² / 2) / s²
    over the years k, which are a normal distribution about m with the spread s, and linear in what m is.

    Returns:
        The paths of the variables that begin anew.
    """
    tensors = safetensors.numpy.load_file(path)
    network_paths = {variable.path: variable for variable in network.variables}
    is_plain = "age/bias" in tensors and f"{DISTRIBUTION}/kernel" not in tensors
    if is_plain and f"{DISTRIBUTION}/kernel" in network_paths:
        kernel, bias = (tensors[f"age/{part}"].astype(np.float32) for part in ("kernel", "bias"))
        years = np.arange(network_paths[f"{DISTRIBUTION}/bias"].shape[0], dtype=np.float32)
        tensors[f"{DISTRIBUTION}/kernel"] = kernel * years / FIRST_SPREAD**2
        tensors[f"{DISTRIBUTION}/bias"] = (bias * years - years**2 / 2) / FIRST_SPREAD**2
    fresh = []
    for name, variable in network_paths.items():
        if name in tensors and tensors[name].shape == tuple(variable.shape):
            variable.assign(tensors[name].astype(np.float32))
        elif variable.trainable or "moving" in name:
            fresh.append(name)
    return fresh
