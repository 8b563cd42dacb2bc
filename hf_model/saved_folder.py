"""A model folder written by transformers' ``save_pretrained``, made whole: code, card, licence, graphs.

What is of the weights (calibration, familiarity, figures, graphs) goes along where the weights are the same, and stays
behind where they were changed.
"""

import json
import pathlib
import shutil

import numpy as np

from .download import CONFIG_NAME, WEIGHTS_NAME, write_whole
from .network.weights import WeightsError, read_tensors
from .settings import SECTIONS_OF_WEIGHTS

# Files and folders of a model folder that are of certain weights.
FILES_OF_WEIGHTS = ("README.md", "metrics.json", "familiarity.safetensors", "activation_ranges.json", "onnx", "plots")


def copy_folder(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies what belongs to a model folder beside its weights; files that are there already are overwritten."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        is_hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
        if (
            path.is_file()
            and not is_hidden
            and name.name != WEIGHTS_NAME
            and path.resolve() != (target / name).resolve()
        ):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / name)


def settle(source: pathlib.Path, target: pathlib.Path) -> bool:
    """Puts the weights of ``source`` in place of those that were saved, where they are the same; else takes out what is
    of the old ones. Returns whether they are the same.

    The configuration's classes are those beside it from now on, and no longer those of the repo that it came from.
    """
    config = json.loads((target / CONFIG_NAME).read_text(encoding="utf-8"))
    auto_map = {name: reference.rpartition("--")[2] for name, reference in config.get("auto_map", {}).items()}
    is_same = same_weights(source / WEIGHTS_NAME, target / WEIGHTS_NAME)
    if is_same:
        if (source / WEIGHTS_NAME).resolve() != (target / WEIGHTS_NAME).resolve():
            shutil.copyfile(source / WEIGHTS_NAME, target / WEIGHTS_NAME)
    else:
        config = {name: section for name, section in config.items() if name not in SECTIONS_OF_WEIGHTS}
        for name in FILES_OF_WEIGHTS:
            path = target / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    write_whole(target / CONFIG_NAME, json.dumps(config | {"auto_map": auto_map}, indent=2) + "\n")
    return is_same


def same_weights(one: pathlib.Path, other: pathlib.Path) -> bool:
    """Whether two weights files hold the same numbers, in whatever types."""
    try:
        first, second = read_tensors(one), read_tensors(other)
    except WeightsError:  # one is not there, or lies elsewhere in pieces
        return False
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)
