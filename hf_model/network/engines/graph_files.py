"""Where the graphs of the fast engines lie: published with the weights, or built from them once and kept."""

import dataclasses
import hashlib
import importlib.util
import io
import json
import os
import pathlib

from ...download import WEIGHTS_NAME, file_sha256, refuse_pointer
from ...settings import Settings
from ..layout import network_of
from ..weights import read_tensors, refused
from .kept_files import is_kept, keep, place_of

GRAPHS = "onnx"  # the folder of a model repo that holds them
STAMP = "built_from.json"  # beside them: their format, and the sha256 of the weights that each was built from
HEADS_NAME = "heads.safetensors"  # beside them: the dense layers, which heat maps are made from
RANGES = "activation_ranges.json"  # of a model folder: what int8 is built from, beside the weights
FORMAT = 5  # of what is built here; a change builds all kept graphs anew
DETECTOR = ("proposal", "refine", "output")  # MTCNN's networks
# Where a published repo has their graphs, and the stamp.
PUBLISHED_DETECTOR = (*(f"{GRAPHS}/detector/{name}.onnx" for name in DETECTOR), f"{GRAPHS}/{STAMP}")


def graph_name(precision: str) -> str:
    """The file of the network for a precision: int8 is a graph of its own, the others share one."""
    return "model_int8.onnx" if precision == "int8" else "model.onnx"


def find_graph(settings: Settings, folder: pathlib.Path, precision: str) -> tuple[pathlib.Path, bool]:
    """The network's graph for a model folder, and whether it is there already, and whole.

    A published graph counts where this code can read it, and no weights lie beside it or those that it was built from.

    Raises:
        FileNotFoundError: weights or graph are pointers of Git LFS.
    """
    name = graph_name(precision)
    published, weights = folder / GRAPHS / name, folder / WEIGHTS_NAME
    refuse_pointer(weights)
    refuse_pointer(published)
    if not weights.is_file():
        return published, has_graph(folder, name)
    of_weights = file_sha256(weights)
    if has_graph(folder, name) and read_stamp(folder).get(name) == of_weights:
        return published, True
    source = [FORMAT, of_weights, settings.network, dataclasses.asdict(settings.heads), settings.input.size]
    if precision == "int8":
        source.append(file_sha256(folder / RANGES) if (folder / RANGES).is_file() else None)
    path = place_of(hashlib.sha256(json.dumps(source).encode()).hexdigest()) / name
    return path, is_kept(path)


def has_graph(folder: pathlib.Path, name: str) -> bool:
    """Whether a graph that this code can read is published in a model folder."""
    return (folder / GRAPHS / name).is_file() and read_stamp(folder).get("format") == FORMAT


def read_stamp(folder: pathlib.Path) -> dict:
    """Of the published graphs their ``format``, and from which weights each was built: its name to their sha256."""
    path = pathlib.Path(folder) / GRAPHS / STAMP
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def weights_identity(folder: str | os.PathLike, precision: str) -> str | None:
    """The sha256 of a model folder's weights, or of those that its published graph was built from."""
    folder = pathlib.Path(folder)
    if (folder / WEIGHTS_NAME).is_file():
        return file_sha256(folder / WEIGHTS_NAME)
    return read_stamp(folder).get(graph_name(precision))


def network_file(
    settings: Settings, folder: pathlib.Path, precision: str, verify_checksum: bool = False
) -> pathlib.Path:
    """The network's graph, built first where it is missing or not whole, see
    :func:`hf_model.network.engines.kept_files.keep`.

    Args:
        settings, folder, precision: of the model.
        verify_checksum: look at all of what is kept, and not at its size alone.

    Raises:
        WeightsError: the weights are missing or do not fit.
        ImportError: it has to be built and the package ``onnx`` is missing.
        FileNotFoundError: int8 without the activation ranges that it is built from; or a pointer of Git LFS.
    """
    path, there = find_graph(settings, folder, precision)
    if there and not (verify_checksum and path.parent != folder / GRAPHS and not is_kept(path, True)):
        return path
    need_onnx()
    if not (folder / WEIGHTS_NAME).is_file():
        read_tensors(folder / WEIGHTS_NAME)  # says what is wrong
    what = f"the network's graph{' in int8' if precision == 'int8' else ''} from {folder / WEIGHTS_NAME}"
    return keep([path], lambda: {path.name: build_network(settings, folder, precision)}, what)[0]


def build_network(settings: Settings, folder: pathlib.Path, precision: str) -> bytes:
    """The graph of a model folder's weights, see :func:`network_file`."""
    need_onnx()
    from ..graphs import network_graph
    from ..quantized import QuantizedGraph

    weights, ranges = folder / WEIGHTS_NAME, folder / RANGES
    graph = None
    if precision == "int8":
        if not ranges.is_file():
            raise FileNotFoundError(
                f"precision='int8' is built from {ranges}, which is missing: `python -m train.measure int8` "
                f"measures it."
            )
        graph = QuantizedGraph(**json.loads(ranges.read_text(encoding="utf-8")))
    tensors = read_tensors(weights)
    try:
        network = network_of(settings.network)
        return network_graph(tensors, network, settings.heads, settings.input.size, graph)
    except KeyError as error:
        raise refused(weights, [f"missing: {error.args[0]}"]) from None
    except ValueError as error:
        raise refused(weights, [str(error)]) from error


def need_onnx() -> None:
    """Raises ImportError, and says what to install, where ``onnx`` is missing."""
    if importlib.util.find_spec("onnx") is None:
        raise ImportError("Building the graph needs the package onnx once: pip install onnx")


def read_detector_weights(path: pathlib.Path) -> list:
    """The arrays of one of MTCNN's networks, in the order of its layers.

    Decompressed here: joblib, given the path as the package gives it, leaves the file open, and Python 3.13 prints a
    traceback about that at its end.

    Raises:
        ImportError: a package is missing that ``mtcnn`` brings.
    """
    try:
        import joblib
        import lz4.frame
    except ImportError as error:
        raise ImportError(
            f"Reading MTCNN's weights needs {error.name}, which mtcnn brings: pip install mtcnn"
        ) from error
    return joblib.load(io.BytesIO(lz4.frame.decompress(path.read_bytes())))


def packaged_weights() -> dict[str, pathlib.Path]:
    """The files of the weights of MTCNN's three networks in the installed package: ``pnet``, ``rnet`` and ``onet``.

    Raises:
        ImportError: ``mtcnn`` is not installed.
    """
    found = importlib.util.find_spec("mtcnn")  # found, not imported: that loads TensorFlow
    if found is None or found.origin is None:
        raise ImportError("Finding faces needs the weights in the package mtcnn: pip install mtcnn")
    folder = pathlib.Path(found.origin).parent / "assets" / "weights"
    return {name: folder / f"{name}.lz4" for name in ("pnet", "rnet", "onet")}


def detector_files(folder: pathlib.Path | None = None, verify_checksum: bool = False) -> dict[str, pathlib.Path]:
    """The graphs of MTCNN's three networks: published in a model folder, or built from the installed package's weights
    at first, as :func:`network_file`.

    Raises:
        ImportError: ``mtcnn`` is not installed; or they have to be built, and ``onnx`` is missing.
    """
    if folder is not None and read_stamp(folder).get("format") == FORMAT:
        published = {name: pathlib.Path(folder) / GRAPHS / "detector" / f"{name}.onnx" for name in DETECTOR}
        if all(path.is_file() for path in published.values()):
            return published
    files = packaged_weights()
    place = place_of(hashlib.sha256(json.dumps([FORMAT, *map(file_sha256, files.values())]).encode()).hexdigest())
    paths = [place / f"{name}.onnx" for name in DETECTOR]
    if not all(is_kept(path, verify_checksum) for path in paths):
        need_onnx()
        from ..mtcnn.detector_graphs import detector_graphs

        def build() -> dict[str, bytes]:
            weights = {name: read_detector_weights(path) for name, path in files.items()}
            return {f"{name}.onnx": content for name, content in detector_graphs(weights).items()}

        paths = keep(paths, build, "the detector's graphs")
    return dict(zip(DETECTOR, paths, strict=True))
