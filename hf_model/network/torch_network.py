"""The network in PyTorch, built from its description; its state is ``model.safetensors``.

Convolutions run in the type of their kernels, under autocast in its type. BatchNorm and the dense layers stay in
float32, whatever the rest is cast to: a BatchNorm variance of ResNet50 is larger than float16 reaches.
"""

import copy
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..portable import Portable
from ..settings import Heads
from .layout import DISTRIBUTION, HEAD_EPSILON, HEADS, Convolution, Network, head_layers, network_of
from .preprocessing import PREPROCESSING
from .weights import FEATURES, PREFIX, read_tensors, refused, to_torch_layout, torch_name

ACTIVATIONS = {"relu": F.relu, "relu6": F.relu6, None: lambda x: x}
HALVES = (torch.float16, torch.bfloat16)


class TorchNetwork(Portable, torch.nn.Module):
    """A described backbone with the two heads.

    Args:
        network: a name of :data:`hf_model.network.layout.NETWORKS`.
        heads: of the settings.
        dropout: share of a head's pooled features that a training drops.
    """

    def __init__(self, network: str, heads: Heads, dropout: float = 0.0):
        super().__init__()
        self.described_by, self.dropout = network, dropout
        self.has_distribution = bool(heads.age_bins)
        self.gradient_checkpointing = False  # transformers' name; it also gives the function that does it
        self.keeps_statistics = False  # in training too, BatchNorm's: few faces have others, which do not last
        layout, channels = self.layout, 3
        self._add(layout.stem.name, layout.stem, channels, layout)
        channels = layout.stem.filters
        for block in layout.blocks:
            if block.projection:
                self._add(block.projection.name, block.projection, channels, layout)
            inside = channels
            for one in block.path:
                self._add(one.name, one, inside, layout)
                inside = one.filters
            channels = inside
        if layout.last is not None:
            self._add(layout.last.name, layout.last, channels, layout)
            channels = layout.last.filters
        for head in HEADS:
            self._add(f"{head}{FEATURES}", head_convolution(head, heads), channels, None)
            inputs = heads.conv_filters
            for layer, outputs in self._dense_layers(head, heads):
                self.add_module(layer, torch.nn.Linear(inputs, outputs))
                inputs = outputs

    @property
    def layout(self) -> Network:
        """The backbone's description."""
        return network_of(self.described_by)

    def _add(self, name: str, one: Convolution, inputs: int, layout: Network | None) -> None:
        """A convolution and its BatchNorm; of a head where ``layout`` is None."""
        padding = one.pads[0] if one.pads[0] == one.pads[1] else 0
        convolution = torch.nn.Conv2d(
            inputs,
            one.filters,
            one.kernel,
            one.stride,
            padding,
            groups=one.filters if one.depthwise else 1,
            bias=layout is not None and layout.has_biases,
        )
        normalization = torch.nn.BatchNorm2d(one.filters, HEAD_EPSILON if layout is None else layout.epsilon)
        normalization.num_batches_tracked = None  # no part of the weights
        self.add_module(name, torch.nn.ModuleDict({"convolution": convolution, "normalization": normalization}))

    def _dense_layers(self, head: str, heads: Heads) -> list[tuple[str, int]]:
        """The dense layers of a head that have weights, and how many outputs each has."""
        names = [name for name, _ in head_layers(head, self.has_distribution)]
        sizes = {f"{head}_dense": heads.dense_units, DISTRIBUTION: heads.age_bins or 1, head: 1}
        if DISTRIBUTION in names:  # its mean is no layer that is learned
            names.remove(head)
        return [(name, sizes[name]) for name in names]

    def train(self, mode: bool = True):
        """Sets to train, or to predict; BatchNorm predicts in both where ``keeps_statistics``."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train(mode and not self.keeps_statistics)
        return self

    def _apply(self, fn, recurse: bool = True):
        """Moves and casts, all but BatchNorm and the dense layers into half precision."""

        def kept(tensor: torch.Tensor) -> torch.Tensor:
            changed = fn(tensor)
            return tensor.to(changed.device) if changed.dtype in HALVES else changed

        for module in self.modules():
            if module is not self:
                stays = isinstance(module, (torch.nn.BatchNorm2d, torch.nn.Linear))
                module._apply(kept if stays else fn, recurse=False)
        return super()._apply(fn, recurse=False)

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits and the heads' feature maps.

        Args:
            pixels: (N, 3, S, S), from :func:`network_input` or :func:`ordered`.

        Returns:
            ``age_logits`` (N, ages), or (N, 1) years where the model has no distribution; ``gender_logits`` (N, 1);
            ``age_map`` and ``gender_map`` (N, K, H, W), the heads' features after ReLU.
        """
        layout = self.layout
        x = self._convolve(layout.stem, pixels.to(self.get_submodule(layout.stem.name)["convolution"].weight.dtype))
        x = F.max_pool2d(x, 3, 2, 1) if layout.pools else x
        for block in layout.blocks:
            if self.gradient_checkpointing and self.training:
                x = self._gradient_checkpointing_func(block.apply, x, self._convolve, ACTIVATIONS)
            else:
                x = block.apply(x, self._convolve, ACTIVATIONS)
        x = self._convolve(layout.last, x) if layout.last is not None else x
        outputs = {}
        for head in HEADS:
            features = F.relu(self._normalized(f"{head}{FEATURES}", x))
            outputs[f"{head}_map"], outputs[f"{head}_logits"] = features, self._logits(head, features)
        return outputs

    def _convolve(self, one: Convolution, x: torch.Tensor) -> torch.Tensor:
        before, after = one.pads
        x = F.pad(x, (before, after, before, after)) if before != after else x
        return ACTIVATIONS[one.activation](self._normalized(one.name, x))

    def _normalized(self, name: str, x: torch.Tensor) -> torch.Tensor:
        layer = self.get_submodule(name)
        return layer["normalization"](layer["convolution"](x))

    def _logits(self, head: str, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            x = F.dropout(features.float().mean((2, 3)), self.dropout, self.training)
            x = F.relu(self.get_submodule(f"{head}_dense")(x))
            return self.get_submodule(DISTRIBUTION if head == "age" and self.has_distribution else head)(x)


def network_input(pixels: torch.Tensor, preprocessing: str) -> torch.Tensor:
    """What :func:`hf_model.network.preprocessing.preprocess` makes, on the pixels' device and channels first.

    Args:
        pixels: (N, S, S, 3) uint8 RGB.
        preprocessing: of :class:`hf_model.network.layout.Network`.
    """
    wanted = PREPROCESSING[preprocessing]
    x = (pixels.float() - torch.tensor(wanted.mean, device=pixels.device)) / wanted.spread
    return ordered(x.permute(0, 3, 1, 2), preprocessing)


def ordered(pixels: torch.Tensor, preprocessing: str) -> torch.Tensor:
    """(N, 3, S, S), red first, with the colours in the network's order."""
    return pixels.flip(1) if PREPROCESSING[preprocessing].is_bgr else pixels


def head_convolution(head: str, heads: Heads) -> Convolution:
    """The convolution that a head begins with."""
    pads = (heads.conv_kernel // 2,) * 2
    return Convolution(f"{head}{FEATURES}", heads.conv_filters, heads.conv_kernel, 1, pads)


def ages_of(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Ages (N,) in years and their distribution (N, ages), or None, from ``age_logits``."""
    if logits.shape[1] == 1:
        return F.relu(logits[:, 0]), None
    distribution = logits.softmax(1)
    return distribution @ torch.arange(logits.shape[1], device=logits.device, dtype=distribution.dtype), distribution


def state_of(variables: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The state of :class:`TorchNetwork`, float32, from variables by Keras path."""
    stored = {torch_name(name).removeprefix(PREFIX): values for name, values in variables.items()}
    if f"{DISTRIBUTION}.weight" in stored:
        stored.pop("age.weight", None)  # the years, which are fixed
    return {name: torch.from_numpy(to_torch_layout(values.astype(np.float32))) for name, values in stored.items()}


def load_network(path: str | os.PathLike, network: str, heads: Heads, dropout: float = 0.0) -> TorchNetwork:
    """The network with its weights, float32, set to predict.

    Raises:
        WeightsError: the file is missing or broken or does not fit.
    """
    state, module = state_of(read_tensors(path)), TorchNetwork(network, heads, dropout).eval()
    own = module.state_dict()
    problems = [f"missing: {name}" for name in own if name not in state]
    problems += [f"not in the model: {name}" for name in state if name not in own]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, the model wants {tuple(own[name].shape)}"
        for name in own.keys() & state.keys()
        if own[name].shape != state[name].shape
    ]
    if problems:
        raise refused(path, problems)
    own.update(state)  # it knows its version, without which PyTorch expects a counter in every BatchNorm
    module.load_state_dict(own)
    return module


def folded(network: TorchNetwork) -> TorchNetwork:
    """A copy for prediction, every BatchNorm multiplied into the convolution before it: the same function in fewer
    operations."""
    copied = copy.deepcopy(network).eval()
    for layer in copied.children():
        if isinstance(layer, torch.nn.ModuleDict):
            layer["convolution"] = fuse_conv_bn_eval(layer["convolution"], layer["normalization"])
            layer["normalization"] = torch.nn.Identity()
    return copied


def run(network: TorchNetwork, crops: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of a network for (N, S, S, 3) uint8 RGB, where it is; as arrays, feature maps channels last."""
    pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(next(network.parameters()).device)
    with torch.inference_mode():
        outputs = network(network_input(pixels, network.layout.preprocessing))
        last = {name: v.permute(0, 2, 3, 1) if v.ndim == 4 else v for name, v in outputs.items()}
        return {name: values.float().cpu().numpy() for name, values in last.items()}
