"""The network in plain PyTorch, over the Keras model's variables by their paths: what a GPU trains in a third of
Keras's calls.

Pictures lie channels-last in memory, convolutions run in the recipe's type, BatchNorm's statistics and the dense layers
in float32. It is the same function: ``tests/transformers_door/test_torch_backend.py``.
"""

import numpy as np
import torch
import torch.nn.functional as F

from hf_model.network.layout import DISTRIBUTION, HEAD_EPSILON, HEADS, Convolution, head_layers, network_of
from hf_model.network.preprocessing import CENTRE, IMAGENET_MEANS, SPREAD
from train.recipe import Recipe

STATISTICS = ("moving_mean", "moving_variance")
ACTIVATIONS = {"relu": F.relu, "relu6": F.relu6, None: lambda x: x}


class Network:
    """The two-headed network of a recipe, its variables as tensors by path.

    Args:
        variables: by Keras path, as a weights file has them. A convolution's bias goes into the mean of its BatchNorm,
            as in :func:`train.normalization.absorb_bias`.
        recipe: its types, rates and dropout.
        device: where it runs.
    """

    def __init__(self, variables: dict[str, np.ndarray], recipe: Recipe, device: str):
        self.recipe, self.device, self.layout = recipe, device, network_of(recipe.network)
        self.depthwise = {f"{one.name}_conv/kernel" for one in self.layout.convolutions() if one.depthwise}
        self.dtype = getattr(torch, "bfloat16" if recipe.compute_dtype == "auto" else recipe.compute_dtype)
        self.values: dict[str, torch.Tensor] = {}
        self.biases: dict[str, tuple[int, ...]] = {}
        variables = {path: values.astype(np.float32) for path, values in variables.items()}
        for path, values in variables.items():
            name, _, part = path.rpartition("/")
            if name.endswith("_conv") and part == "bias":
                self.biases[path] = values.shape
                continue
            if name.endswith("_bn") and part == "moving_mean":
                values = values - variables.get(f"{name.removesuffix('bn')}conv/bias", np.float32(0))
            tensor = torch.from_numpy(np.array(values)).to(device)
            if tensor.ndim == 4:
                order = (2, 3, 0, 1) if path in self.depthwise else (3, 2, 0, 1)
                tensor = tensor.permute(*order).contiguous(memory_format=torch.channels_last)
            self.values[path] = tensor.requires_grad_(self.is_trained(path))
        self.means = torch.from_numpy(IMAGENET_MEANS).to(device)

    def is_trained(self, path: str) -> bool:
        """Whether gradients move it: not the running statistics, nor the years that the age's distribution is weighed
        by."""
        return not path.endswith(STATISTICS) and path != "age/kernel"

    def trained(self) -> dict[str, torch.Tensor]:
        """What gradients move, by path."""
        return {path: tensor for path, tensor in self.values.items() if tensor.requires_grad}

    def __call__(self, pixels: torch.Tensor, training: bool, values: dict[str, torch.Tensor] | None = None) -> dict:
        """Answers for (N, S, S, 3) uint8 RGB: ``age`` (N, 1), ``gender`` (N, 1) and ``age_distribution`` (N, ages).

        Args:
            training: normalize by the batch's own statistics, and drop out.
            values: used instead of the network's own.
        """
        if self.layout.preprocessing == "imagenet_bgr":
            x = pixels.flip(-1).float() - self.means
        else:
            x = (pixels.float() - float(CENTRE)) / float(SPREAD)
        x = x.permute(0, 3, 1, 2).to(self.dtype)
        v = values or self.values

        def normalized(name: str, x, stride: int, padding: int, epsilon: float, groups: int = 1):
            y = F.conv2d(x, v[f"{name}_conv/kernel"].to(x.dtype), stride=stride, padding=padding, groups=groups)
            statistics = v[f"{name}_bn/moving_mean"], v[f"{name}_bn/moving_variance"]
            scales = v[f"{name}_bn/gamma"], v[f"{name}_bn/beta"]
            return F.batch_norm(y, *statistics, *scales, training, self.recipe.statistics_rate, epsilon)

        def convolve(one: Convolution, x):
            before, after = one.pads
            if before != after:
                x = F.pad(x, (before, after, before, after))
            padding, groups = before if before == after else 0, one.filters if one.depthwise else 1
            return ACTIVATIONS[one.activation](
                normalized(one.name, x, one.stride, padding, self.layout.epsilon, groups)
            )

        x = convolve(self.layout.stem, x)
        x = F.max_pool2d(x, 3, 2, 1) if self.layout.pools else x
        for block in self.layout.blocks:
            x = block.apply(x, convolve, ACTIVATIONS)
        x = convolve(self.layout.last, x) if self.layout.last is not None else x
        outputs = {}
        for head in HEADS:
            y = F.relu(normalized(head, x, 1, v[f"{head}_conv/kernel"].shape[-1] // 2, HEAD_EPSILON))
            y = F.dropout(y.float().mean((2, 3)), self.recipe.dropout, training)
            for layer, activation in head_layers(head, True):
                y = y @ v[f"{layer}/kernel"]
                y = y + v[f"{layer}/bias"] if f"{layer}/bias" in v else y
                y = {"relu": torch.relu, "sigmoid": torch.sigmoid, "softmax": lambda z: z.softmax(1)}[activation](y)
                if layer in (DISTRIBUTION, head):
                    outputs[layer] = y
        return outputs

    def arrays(self, values: dict[str, torch.Tensor] | None = None) -> dict[str, np.ndarray]:
        """The variables by Keras path, kernels of convolutions as Keras has them."""
        arrays = {path: np.zeros(shape, np.float32) for path, shape in self.biases.items()}
        for path, tensor in (values or self.values).items():
            tensor = tensor.detach().float().cpu()
            order = (2, 3, 0, 1) if path in self.depthwise else (2, 3, 1, 0)
            arrays[path] = (tensor.permute(*order) if tensor.ndim == 4 else tensor).contiguous().numpy()
        return arrays
