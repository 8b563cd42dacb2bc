"""MTCNN's three networks as ONNX graphs, built from the weights in the ``mtcnn`` package."""

import numpy as np

from ..graphs import Graph


def proposal_graph(weights: list[np.ndarray]) -> bytes:
    """MTCNN's first network, for pictures of any size.

    Args:
        weights: as the ``mtcnn`` package keeps them: of each layer kernel and bias, then the slopes of its PReLU.

    Returns:
        A graph from ``pixels`` (N, 3, H, W), (values - 127.5) / 128, to ``boxes`` (N, 4, h, w) and ``faces``
        (N, 2, h, w), the probabilities of no face and of a face.

    Source: Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded CNNs, 2016.
    """
    graph = Graph("proposal")
    layers = iter(weights)

    def convolve(number: int, x: str) -> str:
        x = graph.convolution(f"conv{number}", x, next(layers), next(layers))
        return graph.prelu(f"prelu{number}", x, next(layers))

    x = convolve(1, "pixels")
    x = graph.operand(x)
    x = graph.node("MaxPool", [x], "pool1", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    x = convolve(3, convolve(2, x))
    graph.convolution("boxes", x, next(layers), next(layers))
    graph.node("Softmax", [graph.convolution("scores", x, next(layers), next(layers))], "faces", axis=1)
    outputs = {"boxes": ["N", 4, "h", "w"], "faces": ["N", 2, "h", "w"]}
    return graph.model({"pixels": ["N", 3, "H", "W"]}, outputs)


def patch_graph(weights: list[np.ndarray], size: int, pools: str) -> bytes:
    """MTCNN's second or third network, for patches of ``size`` pixels.

    Args:
        weights: as for :func:`proposal_graph`; the last ones are two or three dense layers beside each other: the
            box, perhaps the landmarks, and the two probabilities.
        pools: a letter for each convolution, how pooling follows it: ``s`` keeps the edge (3 × 3), ``v`` leaves it
            out (3 × 3), ``h`` keeps it (2 × 2), ``-`` none.

    Returns:
        A graph from ``pixels`` (N, size, size, 3) to ``boxes`` (N, 4), perhaps ``landmarks`` (N, 10), and ``faces``
        (N, 2).
    """
    graph = Graph(f"patch{size}")
    layers = iter(weights)
    x = graph.node("Transpose", ["pixels"], "pixels_first", perm=[0, 3, 1, 2])
    for number, pool in enumerate(pools, start=1):
        x = graph.convolution(f"conv{number}", x, next(layers), next(layers))
        x = graph.prelu(f"prelu{number}", x, next(layers))
        if pool != "-":
            kernel = [2, 2] if pool == "h" else [3, 3]
            edge = {} if pool == "v" else {"auto_pad": "SAME_UPPER"}
            x = graph.node("MaxPool", [x], f"pool{number}", kernel_shape=kernel, strides=[2, 2], **edge)
    x = graph.node("Transpose", [x], "columns_first", perm=[0, 3, 2, 1])  # the published weights want columns first
    x = graph.node("Flatten", [x], "flat")
    x = graph.dense("hidden", x, next(layers), next(layers))
    x = graph.prelu("hidden_prelu", x, next(layers))
    ends = list(layers)
    names = ["boxes", "landmarks"] if len(ends) == 6 else ["boxes"]
    for name in names:
        graph.dense(name, x, ends.pop(0), ends.pop(0))
    graph.node("Softmax", [graph.dense("scores", x, *ends)], "faces", axis=1)
    widths = {"boxes": 4, "landmarks": 10, "faces": 2}
    return graph.model({"pixels": ["N", size, size, 3]}, {name: ["N", widths[name]] for name in [*names, "faces"]})


def detector_graphs(weights: dict[str, list[np.ndarray]]) -> dict[str, bytes]:
    """MTCNN's three networks: ``proposal``, ``refine`` and ``output``.

    Args:
        weights: of ``pnet``, ``rnet`` and ``onet``, as
            :func:`hf_model.network.engines.graph_files.read_detector_weights` gives them.
    """
    return {
        "proposal": proposal_graph(weights["pnet"]),
        "refine": patch_graph(weights["rnet"], 24, "sv-"),
        "output": patch_graph(weights["onet"], 48, "svh-"),
    }
