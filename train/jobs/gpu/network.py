"""The network in plain PyTorch, over the Keras model's variables by their paths: what a GPU trains in a third of Keras's calls.

Pictures lie channels-last in memory, convolutions run in the recipe's type, BatchNorm's statistics and the dense layers in
float32. It is the same function: ``tests/transformers_door/test_torch_backend.py``.
"""

import numpy as np
import torch
import torch.nn.functional as F

from hf_model.network.layout import BACKBONE_EPSILON, DISTRIBUTION, HEAD_EPSILON, HEADS, blocks, head_layers
from hf_model.network.preprocessing import IMAGENET_MEANS
from train.recipe import Recipe

STATISTICS = ("moving_mean", "moving_variance")


class Network:
    """The two-headed ResNet50, its variables as tensors by path.

    Args:
        variables: by Keras path, as a weights file has them. A convolution's bias goes into the mean of its BatchNorm, as in
            :func:`train.normalization.absorb_bias`.
        recipe: its types, rates and dropout.
        device: where it runs.
    """

    def __init__(self, variables: dict[str, np.ndarray], recipe: Recipe, device: str):
        self.recipe, self.device = recipe, device
        self.dtype = getattr(torch, recipe.compute_dtype)
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
                tensor = tensor.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
            self.values[path] = tensor.requires_grad_(self.is_trained(path))
        self.means = torch.from_numpy(IMAGENET_MEANS).to(device)

    def is_trained(self, path: str) -> bool:
        """Whether gradients move it: not the running statistics, nor the years that the age's distribution is weighed by."""
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
        x = (pixels.flip(-1).float() - self.means).permute(0, 3, 1, 2).to(self.dtype)
        v = values or self.values

        def convolve(name: str, x, stride: int = 1, padding: int = 0, epsilon: float = BACKBONE_EPSILON):
            y = F.conv2d(x, v[f"{name}_conv/kernel"].to(x.dtype), stride=stride, padding=padding)
            statistics = v[f"{name}_bn/moving_mean"], v[f"{name}_bn/moving_variance"]
            scales = v[f"{name}_bn/gamma"], v[f"{name}_bn/beta"]
            return F.batch_norm(y, *statistics, *scales, training, self.recipe.statistics_rate, epsilon)

        x = F.relu(convolve("conv1", x, 2, 3), inplace=True)
        x = F.max_pool2d(x, 3, 2, 1)
        for block in blocks():
            shortcut = convolve(f"{block.name}_0", x, block.stride) if block.projects else x
            y = F.relu(convolve(f"{block.name}_1", x, block.stride), inplace=True)
            y = F.relu(convolve(f"{block.name}_2", y, 1, 1), inplace=True)
            x = F.relu(convolve(f"{block.name}_3", y) + shortcut, inplace=True)
        outputs = {}
        for head in HEADS:
            y = F.relu(convolve(head, x, 1, v[f"{head}_conv/kernel"].shape[-1] // 2, HEAD_EPSILON))
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
            arrays[path] = (tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor).contiguous().numpy()
        return arrays
