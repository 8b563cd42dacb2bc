"""Raw answers kept on disk, each part whole or not at all: measuring can be broken off and resumed."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from train.measure.raw.raw import Raw


class KeptParts:
    """Parts by key.

    Args:
        folder: where they are kept; None keeps nothing.
    """

    def __init__(self, folder: pathlib.Path | None):
        self.folder = folder

    def get(self, key: str, title: str, compute: Callable[[], Raw]) -> Raw:
        """A part, computed where it is not kept yet."""
        path = self.folder / f"{key}.npz" if self.folder else None
        if path and path.is_file():
            print(f"{title}: kept from before", flush=True)
            with np.load(path) as arrays:
                return Raw(**arrays)
        raw = compute()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part.npz")
            np.savez(partial, **{field.name: getattr(raw, field.name) for field in dataclasses.fields(raw)})
            os.replace(partial, path)
        return raw
