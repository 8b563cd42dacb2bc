"""The changes of a picture under which answers are measured: the rows of ``changed_rows.toml``."""

import functools
import pathlib
import tomllib
from collections.abc import Callable

import numpy as np
import PIL.Image

from hf_model.pictures.changes import CHANGES

ROWS = pathlib.Path(__file__).with_name("changed_rows.toml")


def load_rows(path: pathlib.Path = ROWS) -> dict[str, Callable]:
    """The changes by the name of their row, from an array or a picture to a picture.

    Raises:
        ValueError: a row names a change that is not there.
    """
    rows: dict[str, Callable] = {}
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["rows"]:
        name, change, strength = row.pop("name"), row.pop("change"), row.pop("strength")
        if change not in CHANGES:
            raise ValueError(f"{path}: row {name!r} names {change!r}; there are {', '.join(CHANGES)}.")
        rows[name] = functools.partial(_apply, CHANGES[change], strength, row)
    return rows


def changed_rows(n: int, limit: int | None) -> np.ndarray:
    """Which of ``n`` test faces are changed: all, or ``limit`` of them."""
    return np.sort(np.random.default_rng(0).permutation(n)[:limit])


def spread_rows(n: int, count: int) -> np.ndarray:
    """Which of ``n`` validation faces are changed: about so many, evenly spread."""
    return np.arange(n)[:: max(n // count, 1)]


def _apply(change: Callable, strength: float, more: dict, image) -> PIL.Image.Image:
    if isinstance(image, np.ndarray):
        image = PIL.Image.fromarray(image)
    return change(image, strength, **more)
