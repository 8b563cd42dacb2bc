"""Weights as safetensors: kernels float16, everything else float32, keyed by Keras variable path.

float16 ends at 65,504 and a BatchNorm variance of the pretrained stem reaches 134,940, so only the
kernels of convolutions and dense layers are halved. Loading is strict: a checkpoint either fits the
model exactly or is refused.
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING

import numpy as np
import safetensors
import safetensors.numpy

from ..download import refuse_pointer

if TYPE_CHECKING:  # importing Keras loads TensorFlow, which the fast engines do without
    import keras


class WeightsError(ValueError):
    """A weights file that is missing, unreadable, or does not fit the model."""


def save_weights(model: keras.Model, path: str | os.PathLike, metadata: dict[str, str] | None = None) -> None:
    """Writes the model's variables; the file appears whole or not at all.

    Raises:
        WeightsError: a value is not finite, or would not be in float16.
    """
    import keras

    tensors = {}
    for variable in model.variables:
        value = np.asarray(keras.ops.convert_to_numpy(variable.value), np.float32)
        stored = value.astype(np.float16) if variable.path.endswith("/kernel") else value
        if not np.isfinite(stored).all():
            raise WeightsError(f"{variable.path} is not finite as {stored.dtype}; the weights were not written.")
        tensors[variable.path] = stored
    path = pathlib.Path(path)
    temporary = path.with_name(path.name + ".part")
    safetensors.numpy.save_file(tensors, temporary, metadata=metadata)
    os.replace(temporary, path)


def read_tensors(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The content of a file written by :func:`save_weights`, by Keras variable path, as it is stored.

    Raises:
        WeightsError: the file is missing or broken, or a value in it is not finite.
        FileNotFoundError: it is a pointer of Git LFS.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise WeightsError(f"No weights at {path}. Download the whole model repo, or train with `python -m train`.")
    refuse_pointer(path)
    try:
        tensors = safetensors.numpy.load_file(path)
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
