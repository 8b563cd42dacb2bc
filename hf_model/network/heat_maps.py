"""Where the network looked: class activation maps of the two answers, at the price of one pass.

Grad-CAM (Selvaraju et al., ICCV 2017) at the last convolution of each head. With A (H, W, K) the feature map after its
ReLU and s the answer,

    weight_k = mean over all places of ds / dA_k,        map = sum over k of weight_k A_k.

After A come only pooling and small dense layers, so that the gradient is the few products below and the same at every
place. For gender s is the logit of the side that is called and what speaks against it is cut off, as in the paper. For
age there are two answers to explain, older and younger, so that there are two sums, over the features that make the
face older and over those that make it younger; shown is the larger of the two at each place, the younger one below 0.
Their difference, one sum over all k, hides where both are strong: covering its hottest fifth moved the age less.
"""

import pathlib

import numpy as np
import PIL.Image

from ..download import WEIGHTS_NAME
from .engines.graph_files import GRAPHS, HEADS_NAME
from .weights import read_tensors

TARGETS = ("age", "gender")


def read_heads(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """The dense layers of both heads by Keras variable path, float32, from a model folder's weights or beside its
    graphs.

    Raises:
        FileNotFoundError: it has neither.
    """
    for path in (folder / WEIGHTS_NAME, folder / GRAPHS / HEADS_NAME):
        if path.is_file():
            return {name: values.astype(np.float32) for name, values in read_tensors(path, is_dense).items()}
    raise FileNotFoundError(
        f"{folder} has neither {WEIGHTS_NAME} nor {GRAPHS}/{HEADS_NAME}, which a heat map is made from."
    )


def is_dense(name: str) -> bool:
    """Whether a variable belongs to a dense layer of a head."""
    return name.split("/")[0] in ("age_dense", "age_distribution", "age", "gender_dense", "gender")


def gradient(pooled: np.ndarray, heads: dict[str, np.ndarray], target: str) -> np.ndarray:
    """(K,): how the answer moves with each pooled feature.

    Args:
        pooled: (K,) means of the head's feature map.
        heads: from :func:`read_heads`.
        target: ``"age"``, in years, or ``"gender"``, the logit of "female".
    """
    sums = pooled @ heads[f"{target}_dense/kernel"] + heads[f"{target}_dense/bias"]
    hidden = np.maximum(sums, 0)
    if target == "age" and "age_distribution/kernel" in heads:
        logits = hidden @ heads["age_distribution/kernel"] + heads["age_distribution/bias"]
        probability = np.exp(logits - logits.max())
        probability /= probability.sum()
        years = heads["age/kernel"][:, 0]
        of_hidden = heads["age_distribution/kernel"] @ (probability * (years - probability @ years))
    else:
        of_hidden = heads[f"{target}/kernel"][:, 0]
    return heads[f"{target}_dense/kernel"] @ (of_hidden * (sums > 0))


def heat_map(features: np.ndarray, heads: dict[str, np.ndarray], target: str, female: bool, size: int) -> np.ndarray:
    """The map of one answer, (size, size) float32, see :class:`hf_model.prediction.Explanation`.

    Args:
        features: (H, W, K), the head's feature map after its ReLU.
        heads, target: as for :func:`gradient`.
        female: for gender, the side that is called.
        size: side of the picture that the network was shown.
    """
    weights = gradient(features.mean(axis=(0, 1)), heads, target)
    if target == "gender":
        small = features @ (weights if female else -weights)
        values = enlarged(np.maximum(small, 0), size)
    else:
        older, younger = (enlarged(features @ np.maximum(side, 0), size) for side in (weights, -weights))
        values = np.where(older >= younger, older, -younger)
    return values / max(float(np.abs(values).max()), 1e-12)


def enlarged(small: np.ndarray, size: int) -> np.ndarray:
    """A map (H, W) as (size, size) float32, read bilinearly."""
    image = PIL.Image.fromarray(small.astype(np.float32))
    return np.asarray(image.resize((size, size), PIL.Image.Resampling.BILINEAR))
