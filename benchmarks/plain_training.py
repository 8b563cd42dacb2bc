"""A plain PyTorch loop over a ResNet50 with two heads: what the trainer's speed is compared with.

Written as PyTorch's own examples are: channels-last, autocast to bfloat16, BatchNorm live, SGD with Nesterov momentum.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from hf_model.settings import Heads

BLOCKS = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, 1 × 1 with a shortcut (He et al., Deep Residual Learning, CVPR 2016)."""

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        sizes = ((inputs, width, 1, stride), (width, width, 3, 1), (width, 4 * width, 1, 1))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, k, s, k // 2, bias=False) for i, o, k, s in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o, _, _ in sizes)
        self.shortcut = None
        if inputs != 4 * width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        y = x
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = norm(convolution(y))
            if index < 2:
                y = torch.relu(y)
        return torch.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Head(nn.Module):
    """Convolution, BatchNorm, pooling and two dense layers, as in the project's network."""

    def __init__(self, filters: int, units: int, outputs: int):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(2048, filters, 1, bias=False), nn.BatchNorm2d(filters)
        self.dense, self.last = nn.Linear(filters, units), nn.Linear(units, outputs)

    def forward(self, x):
        x = torch.relu(self.norm(self.convolution(x))).mean(dim=(2, 3))
        return self.last(torch.relu(self.dense(x)))


class PlainNetwork(nn.Module):
    """ResNet50 and the two heads of the settings."""

    def __init__(self, heads: Heads):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        inputs = 64
        for stage, blocks in enumerate(BLOCKS):
            for block in range(blocks):
                layers.append(Bottleneck(inputs, 64 * 2**stage, 2 if block == 0 and stage else 1))
                inputs = 256 * 2**stage
        self.backbone = nn.Sequential(*layers)
        self.age = Head(heads.conv_filters, heads.dense_units, heads.age_bins)
        self.gender = Head(heads.conv_filters, heads.dense_units, 1)

    def forward(self, x):
        x = self.backbone(x)
        return self.age(x), self.gender(x)


class PlainLoop:
    """The network and its optimizer."""

    def __init__(self, heads: Heads):
        self.network = PlainNetwork(heads).to(memory_format=torch.channels_last).train()
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=2e-4
        )

    def train(self, batches: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """One step a batch of pictures (N, S, S, 3) float32, whole ages (N,) and genders (N,)."""
        for pictures, age, gender in batches:
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # channels-last as it is
            with torch.autocast("cpu", torch.bfloat16):
                age_logits, gender_logit = self.network(x)
            loss = nn.functional.cross_entropy(age_logits.float(), torch.from_numpy(age))
            loss = loss + nn.functional.binary_cross_entropy_with_logits(
                gender_logit.float()[:, 0], torch.from_numpy(gender)
            )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
