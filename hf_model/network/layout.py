"""The layout of ResNet50 and the two heads: what architecture, folding and graphs build alike.

Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, as ``keras.applications.ResNet50`` has it.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

# Blocks of each stage; stages 3 to 5 halve the resolution at their start.
BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
BACKBONE_EPSILON = 1.001e-5
HEAD_EPSILON = 1e-3  # of Keras's BatchNormalization
HEADS = ("age", "gender")
DISTRIBUTION = "age_distribution"


@dataclasses.dataclass(frozen=True)
class Block:
    """A residual block: its ``name``, by what it shrinks the picture (``stride``), and whether its shortcut is a convolution."""

    stage: int
    name: str
    stride: int
    projects: bool


def blocks(first_stage: int = 2, last_stage: int = 5) -> Iterator[Block]:
    """The blocks of some stages, in order."""
    for stage in range(max(first_stage, 2), last_stage + 1):
        for number in range(1, BLOCKS[stage] + 1):
            stride = 2 if number == 1 and stage > 2 else 1
            yield Block(stage, f"conv{stage}_block{number}", stride, number == 1)


def head_layers(head: str, has_distribution: bool) -> list[tuple[str, str]]:
    """The dense layers of a head, in order, each with its activation: the last one is the head's answer."""
    layers = [(f"{head}_dense", "relu")]
    if head == "age" and has_distribution:
        layers.append((DISTRIBUTION, "softmax"))
    return [*layers, (head, "relu" if head == "age" else "sigmoid")]


def answers_of(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A graph's outputs with its logits turned into answers: ``age`` (N,) in years, ``gender`` (N,), the probability of
    "female", and where the model has it ``age_distribution`` (N, ages); float32.

    Args:
        outputs: ``age_logits`` and ``gender_logits``, see :func:`hf_model.network.graphs.network_graph`; others stay.
    """
    answers = {name: values for name, values in outputs.items() if not name.endswith("_logits")}
    ages, genders = outputs["age_logits"].astype(np.float32), outputs["gender_logits"].astype(np.float32)[:, 0]
    if ages.shape[1] == 1:
        answers["age"] = np.maximum(ages[:, 0], 0)
    else:
        shares = np.exp(ages - ages.max(axis=1, keepdims=True))
        answers[DISTRIBUTION] = shares / shares.sum(axis=1, keepdims=True)
        answers["age"] = answers[DISTRIBUTION] @ np.arange(ages.shape[1], dtype=np.float32)
    answers["gender"] = 1 / (1 + np.exp(-genders))
    return answers
