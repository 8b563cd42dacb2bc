"""The networks as descriptions: what the Keras model, folding, graphs and the PyTorch model are all built from.

A network is a stem, residual blocks in stages 1 to 5 (each stage from 2 on halves the resolution), perhaps a last
convolution, and the two heads. Every convolution is followed by a BatchNorm and perhaps an activation; the variables of
the convolution ``NAME`` are ``NAME_conv/kernel``, ``NAME_bn/gamma`` and so on.

Sources: ResNet50: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, as
``keras.applications.ResNet50`` has it. EfficientNet-Lite0: Tan & Le, EfficientNet, ICML 2019, in its version for
integer arithmetic (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite).
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

HEAD_EPSILON = 1e-3  # of Keras's BatchNormalization
HEADS = ("age", "gender")
DISTRIBUTION = "age_distribution"
STAGES = 5
LARGEST_STRIDE = 32  # of a picture's side by that of the features; sizes of pictures are multiples of it


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A square convolution with its BatchNorm.

    ``filters``: output channels; ``kernel`` and ``stride`` in pixels; ``pads``: rows of zeros before and after;
    ``depthwise``: each channel by itself; ``activation``: ``"relu"``, ``"relu6"`` or None.
    """

    name: str
    filters: int
    kernel: int = 1
    stride: int = 1
    pads: tuple[int, int] = (0, 0)
    depthwise: bool = False
    activation: str | None = None


@dataclasses.dataclass(frozen=True)
class Block:
    """Convolutions in a row, ``path``. Where ``adds``, what went in is added to what comes out, through the convolution
    ``projection`` where there is one, and ``activation`` follows the sum."""

    name: str
    stage: int
    path: tuple[Convolution, ...]
    adds: bool
    projection: Convolution | None = None
    activation: str | None = None

    @property
    def reads_every_second(self) -> bool:
        """Whether of what goes in every second pixel is all that is read: every reader is a strided 1 × 1
        convolution."""
        readers = [self.path[0], *([self.projection] if self.projection else [])]
        return all((one.kernel, one.stride) == (1, 2) for one in readers)

    def apply(self, x, convolve: Callable, activations: Mapping[str | None, Callable]):
        """The block's output for its input, in any library whose tensors add with ``+``.

        Args:
            x: feature maps.
            convolve: gives the output of a :class:`Convolution`, its normalization and activation included, for feature
                maps.
            activations: functions by the names of layouts.
        """
        y = x
        for one in self.path:
            y = convolve(one, y)
        if self.adds:
            y = y + (convolve(self.projection, x) if self.projection else x)
        return activations[self.activation](y)


@dataclasses.dataclass(frozen=True)
class Network:
    """A backbone. ``pools``: whether a 3 × 3 max pooling of stride 2 follows the stem; ``last``: after the blocks;
    ``epsilon``: of every BatchNorm; ``preprocessing``: see :mod:`hf_model.network.preprocessing`; ``has_biases``:
    whether convolutions have one beside their BatchNorm's."""

    name: str
    stem: Convolution
    pools: bool
    blocks: tuple[Block, ...]
    last: Convolution | None
    epsilon: float
    preprocessing: str
    has_biases: bool = False

    def blocks_of(self, first_stage: int, last_stage: int) -> tuple[Block, ...]:
        """The blocks of some stages, in order."""
        return tuple(block for block in self.blocks if first_stage <= block.stage <= last_stage)

    def convolutions(self) -> tuple[Convolution, ...]:
        """All of the backbone, in order."""
        of_blocks = [
            one for block in self.blocks for one in ((block.projection,) if block.projection else ()) + block.path
        ]
        return (self.stem, *of_blocks, *((self.last,) if self.last else ()))


def _resnet50() -> Network:
    blocks = []
    for stage, count in {2: 3, 3: 4, 4: 6, 5: 3}.items():
        filters = 32 * 2**stage // 2
        for number in range(1, count + 1):
            name, stride = f"conv{stage}_block{number}", 2 if number == 1 and stage > 2 else 1
            path = (
                Convolution(f"{name}_1", filters, 1, stride, activation="relu"),
                Convolution(f"{name}_2", filters, 3, 1, (1, 1), activation="relu"),
                Convolution(f"{name}_3", 4 * filters),
            )
            projection = Convolution(f"{name}_0", 4 * filters, 1, stride) if number == 1 else None
            blocks.append(Block(name, stage, path, True, projection, "relu"))
    stem = Convolution("conv1", 64, 7, 2, (3, 3), activation="relu")
    return Network("resnet50", stem, True, tuple(blocks), None, 1.001e-5, "imagenet_bgr", True)


def _same(kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding of a side that the stride divides: what is odd of it comes after."""
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2


def _efficientnet_lite0() -> Network:
    # Of each group of blocks: its stage, kernel, stride of the first block, expansion, output channels, number of
    # blocks.
    groups = (
        (1, 3, 1, 1, 16, 1),
        (2, 3, 2, 6, 24, 2),
        (3, 5, 2, 6, 40, 2),
        (4, 3, 2, 6, 80, 3),
        (4, 5, 1, 6, 112, 3),
        (5, 5, 2, 6, 192, 4),
        (5, 3, 1, 6, 320, 1),
    )
    blocks, channels, numbers = [], 32, dict.fromkeys(range(1, STAGES + 1), 0)
    for stage, kernel, first_stride, expansion, filters, count in groups:
        for place in range(count):
            numbers[stage] += 1
            name, stride = f"conv{stage}_block{numbers[stage]}", first_stride if place == 0 else 1
            wide = channels * expansion
            path = [Convolution(f"{name}_1", wide, activation="relu6")] if expansion > 1 else []
            path.append(Convolution(f"{name}_2", wide, kernel, stride, _same(kernel, stride), True, "relu6"))
            path.append(Convolution(f"{name}_3", filters))
            blocks.append(Block(name, stage, tuple(path), stride == 1 and channels == filters))
            channels = filters
    stem = Convolution("conv1", 32, 3, 2, _same(3, 2), activation="relu6")
    last = Convolution("conv5_last", 1280, activation="relu6")
    return Network("efficientnet_lite0", stem, False, tuple(blocks), last, 1e-3, "centred")


NETWORKS = {network.name: network for network in (_resnet50(), _efficientnet_lite0())}
DEFAULT = "resnet50"  # of a configuration that names none, as those up to 0.3.0


def network_of(name: str) -> Network:
    """The network of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r}: there are {', '.join(map(repr, NETWORKS))}.")
    return NETWORKS[name]


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
        outputs: ``age_logits`` and ``gender_logits``, see :func:`hf_model.network.graphs.network_graph`; maps stay.
    """
    answers = {name: outputs[name] for name in outputs if name.endswith("_map")}
    ages, genders = outputs["age_logits"].astype(np.float32), outputs["gender_logits"].astype(np.float32)[:, 0]
    if ages.shape[1] == 1:
        answers["age"] = np.maximum(ages[:, 0], 0)
    else:
        shares = np.exp(ages - ages.max(axis=1, keepdims=True))
        answers[DISTRIBUTION] = shares / shares.sum(axis=1, keepdims=True)
        answers["age"] = answers[DISTRIBUTION] @ np.arange(ages.shape[1], dtype=np.float32)
    answers["gender"] = 1 / (1 + np.exp(-genders))
    return answers
