"""Where the graphs of the fast engines lie: published with the weights, or built from them once and kept."""

import hashlib
import importlib.util
import io
import json
import pathlib

from ..download import WEIGHTS_NAME, file_sha256, write_whole
from .weights import read_tensors, refused

GRAPHS = "onnx"  # the folder of a model repo that holds them
STAMP = "built_from.json"  # beside them: the sha256 of the weights that each was built from
HEADS_NAME = "heads.safetensors"  # beside them: the dense layers, which heat maps are made from
RANGES = "activation_ranges.json"  # of a model folder: what int8 is built from, beside the weights
FORMAT = 2  # of what is built here; a change builds all kept graphs anew
BUILD = "python -m hf_model.engines --build"


def graph_name(precision: str) -> str:
    """The file of the network for a precision: int8 is a graph of its own, the others share one."""
    return "int8.onnx" if precision == "int8" else "model.onnx"


def kept(key: str, name: str) -> pathlib.Path:
    """The place in huggingface_hub's assets cache of what was built for a key."""
    import huggingface_hub

    return huggingface_hub.cached_assets_path("age-gender-face", namespace="onnx", subfolder=key[:32]) / name


def find_graph(config: dict, folder: pathlib.Path, precision: str) -> tuple[pathlib.Path, bool]:
    """The network's graph for a model folder, and whether it is there already.

    A published graph counts where no weights lie beside it, or those that it was built from.
    """
    name = graph_name(precision)
    published, weights = folder / GRAPHS / name, folder / WEIGHTS_NAME
    if not weights.is_file():
        return published, published.is_file()
    of_weights = file_sha256(weights)
    if published.is_file() and stamp(folder).get(name) == of_weights:
        return published, True
    source = [FORMAT, of_weights, config["heads"], config["input"]["size"]]
    if precision == "int8":
        source.append(file_sha256(folder / RANGES) if (folder / RANGES).is_file() else None)
    path = kept(hashlib.sha256(json.dumps(source).encode()).hexdigest(), name)
    return path, path.is_file()


def stamp(folder: pathlib.Path) -> dict[str, str]:
    """From which weights each published graph was built: its name to their sha256."""
    path = folder / GRAPHS / STAMP
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def network_file(config: dict, folder: pathlib.Path, precision: str) -> pathlib.Path:
    """The network's graph, built first where it is missing.

    Raises:
        WeightsError: the weights are missing or do not fit.
        ImportError: it has to be built and the package ``onnx`` is missing.
        FileNotFoundError: int8 without the activation ranges that it is built from.
    """
    path, there = find_graph(config, folder, precision)
    if not there:
        write_whole(path, build_network(config, folder, precision))
    return path


def build_network(config: dict, folder: pathlib.Path, precision: str) -> bytes:
    """The graph of a model folder's weights, see :func:`network_file`."""
    need_onnx()
    from .graphs import network_graph
    from .quantized import QuantizedGraph

    weights, ranges = folder / WEIGHTS_NAME, folder / RANGES
    graph = None
    if precision == "int8":
        if not ranges.is_file():
            raise FileNotFoundError(
                f"precision='int8' is built from {ranges}, which is missing: `python -m train.measure.quantize` measures it."
            )
        graph = QuantizedGraph(**json.loads(ranges.read_text(encoding="utf-8")))
    tensors = read_tensors(weights)
    try:
        return network_graph(tensors, config["heads"], config["input"]["size"], graph)
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


def detector_files() -> dict[str, pathlib.Path]:
    """The graphs of MTCNN's three networks, built from the installed package's weights at first.

    Raises:
        ImportError: ``mtcnn`` is not installed; or they have to be built, and ``onnx`` is missing.
    """
    files = packaged_weights()
    key = hashlib.sha256(json.dumps([FORMAT, *map(file_sha256, files.values())]).encode()).hexdigest()
    paths = {name: kept(key, f"{name}.onnx") for name in ("proposal", "refine", "output")}
    if not all(path.is_file() for path in paths.values()):
        need_onnx()
        from .detector_graphs import detector_graphs

        weights = {name: read_detector_weights(path) for name, path in files.items()}
        for name, content in detector_graphs(weights).items():
            write_whole(paths[name], content)
    return paths
