"""The loss by which transformers' ``Trainer`` tunes the network: that of the shipped weights' last training."""

import dataclasses

import torch

from .losses import age_likelihood, gender_cross_entropy, huber


@dataclasses.dataclass(frozen=True)
class Weights:
    """Of the parts of the loss; a test holds them equal to ``train/recipes/best.toml``, where each is explained."""

    huber_delta: float = 0.1
    huber_weight: float = 1.0
    bce_weight: float = 0.7
    soft_age_weight: float = 1.0
    age_spread: tuple[float, float, float] = (0.8, 0.04, 3.0)
    gender_smoothing: float = 0.05


def training_loss(
    age: torch.Tensor,
    distribution: torch.Tensor | None,
    gender_logits: torch.Tensor,
    ages: torch.Tensor | None,
    genders: torch.Tensor | None,
    weights: Weights = Weights(),
) -> torch.Tensor:
    """The mean over the faces whose label is known, of each head's loss, and their sum.

    Args:
        age: (N,) predicted years; ``distribution`` (N, ages) or None.
        gender_logits: (N,), of "female".
        ages: (N,) years, or (N, 2), the lowest and highest of a bin; NaN where unknown; None where none is known.
        genders: (N,) 0, 1, or negative where unknown; None where none is known.
    """
    total = age.sum() * 0
    if ages is not None:
        ages = ages.to(age.device, torch.float32)
        ages = ages if ages.ndim == 2 else torch.stack([ages, ages], dim=1)
        known = ~ages.isnan().any(1)
        label = torch.where(known[:, None], ages, 0.0)
        of_age = weights.huber_weight * huber(torch, label, age, weights.huber_delta)
        if distribution is not None:
            years = torch.arange(distribution.shape[1], device=age.device, dtype=torch.float32)[None]
            likelihood = age_likelihood(torch, label, distribution, years, weights.age_spread)
            of_age = of_age + weights.soft_age_weight * likelihood
        total = total + (of_age * known).sum() / known.sum().clamp(min=1)
    if genders is not None:
        genders = genders.to(age.device, torch.float32)
        known = genders >= 0
        female = gender_logits.float().sigmoid()
        of_gender = gender_cross_entropy(torch, genders.clamp(min=0), female, weights.gender_smoothing)
        total = total + weights.bce_weight * (of_gender * known).sum() / known.sum().clamp(min=1)
    return total
