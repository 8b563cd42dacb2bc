"""Weights as safetensors: kernels float16, everything else float32, in the names and the layout of PyTorch.

``model.safetensors`` is the state of :class:`hf_model.network.torch_network.TorchNetwork`, as transformers reads it.
Everything else here knows variables by their Keras path and in Keras's layout: this file is the one map between the
two. Files of versions up to 0.3.0, which have Keras's names, are read too.

float16 ends at 65,504 and a BatchNorm variance of the pretrained stem reaches 134,940, so only the kernels of
convolutions and dense layers are halved. Loading is strict: a checkpoint either fits the model exactly or is refused.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.numpy

from ..download import refuse_pointer
from .layout import DISTRIBUTION, HEADS

if TYPE_CHECKING:  # importing Keras loads TensorFlow, which the fast engines do without
    import keras

PREFIX = "network."  # of every name: the member of the PyTorch model that holds the network
FEATURES = "_features"  # a head's convolution has a name beside that of its last layer, which is the head's own
YEARS = "age/kernel"  # fixed: the whole years, by which the age's distribution is weighed; not stored
# By the end of a layer's name: its kind in PyTorch, and its variables there by those of Keras.
PARTS = {
    "_conv": ("convolution", {"kernel": "weight", "bias": "bias"}),
    "_bn": (
        "normalization",
        {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"},
    ),
}
DENSE = {"kernel": "weight", "bias": "bias"}


class WeightsError(ValueError):
    """A weights file that is missing, unreadable, or does not fit the model."""


def torch_name(path: str) -> str:
    """The name in the file of a variable, such as ``network.conv1.convolution.weight`` of ``conv1_conv/kernel``."""
    layer, _, part = path.rpartition("/")
    for end, (kind, parts) in PARTS.items():
        if layer.endswith(end):
            layer = layer.removesuffix(end)
            return f"{PREFIX}{layer}{FEATURES if layer in HEADS else ''}.{kind}.{parts[part]}"
    return f"{PREFIX}{layer}.{DENSE[part]}"


def keras_path(name: str) -> str:
    """The Keras path of a variable by its name in the file; what is none of ours stays as it is."""
    layer, _, part = name.removeprefix(PREFIX).rpartition(".")
    for end, (kind, parts) in PARTS.items():
        if layer.endswith(f".{kind}"):
            parts = {theirs: ours for ours, theirs in parts.items()}
            layer = layer.removesuffix(f".{kind}").removesuffix(FEATURES)
            return f"{layer}{end}/{parts[part]}" if part in parts else name
    parts = {theirs: ours for ours, theirs in DENSE.items()}
    return f"{layer}/{parts[part]}" if name.startswith(PREFIX) and part in parts else name


def to_torch_layout(values: np.ndarray) -> np.ndarray:
    """A variable as PyTorch lays it out: a convolution's kernel (h, w, in, out) as (out, in, h, w), a depthwise one
    (h, w, channels, 1) as (channels, 1, h, w), a dense kernel (in, out) as (out, in)."""
    if values.ndim == 4:
        return np.ascontiguousarray(values.transpose((2, 3, 0, 1) if values.shape[3] == 1 else (3, 2, 0, 1)))
    return np.ascontiguousarray(values.T)


def to_keras_layout(values: np.ndarray) -> np.ndarray:
    """What :func:`to_torch_layout` undoes: no convolution here has a single input channel but the depthwise ones."""
    if values.ndim == 4:
        return np.ascontiguousarray(values.transpose((2, 3, 0, 1) if values.shape[1] == 1 else (2, 3, 1, 0)))
    return np.ascontiguousarray(values.T)


def as_stored(variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The content of a weights file, by its names there.

    Args:
        variables: float32, by Keras path.

    Raises:
        WeightsError: a value is not finite, or would not be in float16.
    """
    stored = {}
    for path, value in variables.items():
        if path == YEARS and f"{DISTRIBUTION}/kernel" in variables:
            continue
        with np.errstate(over="ignore"):  # said below
            value = value.astype(np.float16 if path.endswith("/kernel") else np.float32)
        if not np.isfinite(value).all():
            raise WeightsError(f"{path} is not finite as {value.dtype}; the weights were not written.")
        stored[torch_name(path)] = to_torch_layout(value)
    return stored


def save_variables(
    variables: dict[str, np.ndarray], path: str | os.PathLike, metadata: dict[str, str] | None = None
) -> None:
    """Writes variables by their Keras paths; the file appears whole or not at all.

    Raises:
        WeightsError: a value is not finite, or would not be in float16.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(path.name + ".part")
    # transformers refuses a file that does not say whose layout it has.
    safetensors.numpy.save_file(as_stored(variables), temporary, metadata={"format": "pt"} | (metadata or {}))
    os.replace(temporary, path)


def save_weights(model: keras.Model, path: str | os.PathLike, metadata: dict[str, str] | None = None) -> None:
    """Writes the model's variables, see :func:`save_variables`."""
    import keras

    values = {v.path: np.asarray(keras.ops.convert_to_numpy(v.value), np.float32) for v in model.variables}
    save_variables(values, path, metadata)


def read_tensors(path: str | os.PathLike, wanted: Callable[[str], bool] = lambda path: True) -> dict[str, np.ndarray]:
    """The content of a weights file by Keras variable path and in Keras's layout, in the types that it is stored in.

    Args:
        path: written by :func:`save_weights`, of this version or an earlier one; or in pieces, with their list,
            ``model.safetensors.index.json``, in its place.
        wanted: says of a Keras path whether it is read.

    Raises:
        WeightsError: the file is missing or broken, or a value in it is not finite.
        FileNotFoundError: it is a pointer of Git LFS.
    """
    path = pathlib.Path(path)
    pieces = path.with_name(f"{path.name}.index.json")
    if not path.is_file() and pieces.is_file():
        names = dict.fromkeys(json.loads(pieces.read_text(encoding="utf-8"))["weight_map"].values())
        return {k: v for name in names for k, v in read_tensors(path.with_name(name), wanted).items()}
    if not path.is_file():
        raise WeightsError(f"No weights at {path}. Download the whole model repo, or train with `python -m train`.")
    refuse_pointer(path)
    tensors = {}
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            for name in file.keys():  # noqa: SIM118
                ours = keras_path(name)
                if wanted(ours):
                    tensors[ours] = file.get_tensor(name) if ours == name else to_keras_layout(file.get_tensor(name))
            shares = torch_name(f"{DISTRIBUTION}/kernel")
            if shares in file.keys() and wanted(YEARS):  # noqa: SIM118
                ages = file.get_slice(shares).get_shape()[0]
                tensors[YEARS] = np.arange(ages, dtype=np.float16)[:, None]
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}). Download it again.") from error
    broken = [name for name, values in tensors.items() if not np.isfinite(values).all()]
    if broken:
        raise refused(path, [f"{name} holds values that are not finite" for name in broken])
    return tensors


def refused(path: str | os.PathLike, problems: list[str]) -> WeightsError:
    """The error that names the first of some problems."""
    shown = "; ".join(sorted(problems)[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
    return WeightsError(f"{path} does not fit the model: {shown}.")


def load_weights(model: keras.Model, path: str | os.PathLike) -> None:
    """Fills the model's variables from a file written by :func:`save_weights`, as float32.

    Raises:
        WeightsError: the file is missing or broken, or a tensor is missing, unknown, of the wrong
            shape or not finite. The model is then unchanged.
    """
    tensors = read_tensors(path)
    variables = {variable.path: variable for variable in model.variables}
    problems = [f"missing: {name}" for name in variables if name not in tensors]
    problems += [f"not in the model: {name}" for name in tensors if name not in variables]
    problems += [
        f"{name} has shape {tensors[name].shape}, the model wants {tuple(variables[name].shape)}"
        for name in variables.keys() & tensors.keys()
        if tensors[name].shape != tuple(variables[name].shape)
    ]
    if problems:
        raise refused(path, problems)
    for name, variable in variables.items():
        variable.assign(tensors[name].astype(np.float32))
