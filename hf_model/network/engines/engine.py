"""What every engine is, and what those share that run graphs (:mod:`hf_model.network.graphs`)."""

import functools
import importlib.util
import os
import pathlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ...settings import Settings
from ..layout import answers_of, network_of
from ..mtcnn.cascade import Cascade
from ..preprocessing import pixel_values
from .graph_files import detector_files, network_file

# From (N, S, S, 3) uint8 RGB crops to the outputs by name, each with N rows: "age" (N,) in years and
# "gender" (N,), the probability of "female"; where the model has it, "age_distribution" (N, years); from a graph
# also "age_map" and "gender_map", the heads' feature maps.
Forward = Callable[[np.ndarray], dict[str, np.ndarray]]


# From the float32 input of a graph to its outputs by name.
Graph = Callable[[np.ndarray], dict[str, np.ndarray]]


class Engine:
    """Makes the age and gender network from a model folder, and MTCNN.

    Args:
        precision: one of ``precisions``, or ``"auto"``.
        threads: how many it may use; None for all cores.

    Raises:
        ValueError: what this engine cannot do.
        ImportError: a package that it needs is missing.
    """

    name: str
    packages: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("float32",)
    pickles = True  # whether another process makes the same by its name

    def __init__(self, precision: str = "auto", threads: int | None = None):
        missing = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if missing:
            raise ImportError(
                f"engine={self.name!r} needs a package that is not installed: pip install {' '.join(self.packages)}"
            )
        if precision != "auto" and precision not in self.precisions:
            raise ValueError(
                f"precision={precision!r} is not for engine={self.name!r}, which has {', '.join(self.precisions)}."
            )
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise ValueError(f"threads={threads!r}: pass a whole number of at least 1, or None for all cores.")
        self.threads = threads
        self.precision = self.best_precision() if precision == "auto" else precision

    def best_precision(self) -> str:
        """What ``precision="auto"`` means here; never int8, which moves ages."""
        return "float32"

    def __str__(self) -> str:
        return f"{self.name}/{self.precision}"

    def load(self, settings: Settings, folder: pathlib.Path) -> Forward:
        """The network of a model folder.

        Raises:
            WeightsError: the weights are missing or do not fit.
        """
        raise NotImplementedError

    def detector(self, folder: pathlib.Path | None = None) -> "Mtcnn":
        """MTCNN, opened anew at each call; ``folder``: a model's, which may hold its graphs."""
        raise NotImplementedError


class Mtcnn(Protocol):
    """MTCNN as an engine has it: the ``mtcnn`` package, or :class:`hf_model.network.mtcnn.cascade.Cascade`."""

    def detect_faces(self, pixels: np.ndarray, *arguments: Any, **options: Any) -> list[dict]:
        """The faces of a picture, see :meth:`hf_model.network.mtcnn.cascade.Cascade.detect_faces`."""

    @property
    def output(self) -> Graph:
        """The last network, on (N, 48, 48, 3) float32."""


def flat(values: np.ndarray) -> np.ndarray:
    """(N, 1) as (N,); what has another shape stays as it is."""
    return values[:, 0] if values.shape[1:] == (1,) else values


class ForkSafeGraph:
    """A graph that a forked child opens anew: the threads of its parent, which would run it, are not there.

    Args:
        open: gives the graph as a function.
    """

    def __init__(self, open: Callable[[], Graph]):
        self._open, self._process, self._run = open, os.getpid(), open()
        self._opening = threading.Lock()

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        if self._process != os.getpid():
            with self._opening:
                if self._process != os.getpid():
                    self._left = self._run  # ending it would wait for its threads
                    self._run, self._process = self._open(), os.getpid()
        return self._run(batch)


class GraphEngine(Engine):
    """What the engines share that run graphs (:mod:`hf_model.network.graphs`)."""

    def open(self, path: pathlib.Path, precision: str, threads: int | None) -> Graph:
        """A graph as a function that several threads may call, each time on that many threads."""
        raise NotImplementedError

    def load(self, settings: Settings, folder: pathlib.Path) -> Forward:
        """The network of a model folder, from its graph, which is built at first.

        Raises:
            WeightsError: the weights are missing or do not fit.
            ImportError: the graph has to be built, and the package for it is missing.
            FileNotFoundError: int8 without its activation ranges.
        """
        path = network_file(settings, folder, self.precision)
        run = ForkSafeGraph(lambda: self.open(path, self.precision, self.threads))
        preprocessing = network_of(settings.network).preprocessing
        return lambda crops: answers_of(run(pixel_values(crops, preprocessing)))

    def detector(self, folder: pathlib.Path | None = None) -> Mtcnn:
        """MTCNN's cascade in numpy around its networks.

        Always in float32, for its scores are compared with limits; and on one thread, for they are small, and several
        photos are looked at beside each other.
        """
        files = detector_files(folder)
        opens = {name: functools.partial(self.open, path, "float32", 1) for name, path in files.items()}
        return Cascade(**{name: ForkSafeGraph(open_one) for name, open_one in opens.items()})
