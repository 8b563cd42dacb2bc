"""The training loop on a GPU: a recipe's stages stretched over so many seconds, judged a few times, averaged every
step."""

import dataclasses
import math
import pathlib
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import huggingface_hub
import keras
import numpy as np
import torch

from hf_model.network import losses
from hf_model.network.torch_network import TorchNetwork, ages_of, network_input
from hf_model.network.weights import PREFIX
from train.data import HOME
from train.losses import inside, outside
from train.recipe import Recipe, Stage

if TYPE_CHECKING:
    from train.jobs.gpu.feed import Feed

JUDGED_AT_ONCE = 200


@dataclasses.dataclass
class Labels:
    """Labels of N pictures as tensors: ``ages`` (N, 2) years, lowest and highest; ``gender`` (N,) 0, 1 or -1 where it
    is unknown; ``age_weight`` and ``gender_weight`` (N,) of their losses; ``source`` (N,) names, an array."""

    ages: torch.Tensor
    gender: torch.Tensor
    age_weight: torch.Tensor
    gender_weight: torch.Tensor
    source: np.ndarray

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], device: str) -> "Labels":
        """Of what :func:`train.jobs.gpu.packs.write_labels` wrote; without weights there, every known label weighs
        1."""
        ages, gender = np.stack([arrays["age_low"], arrays["age_high"]], axis=1), arrays["gender"]
        weights = arrays.get("age_weight", np.ones(len(gender))), arrays.get("gender_weight", gender >= 0)
        columns = [torch.from_numpy(values.astype(np.float32)).to(device) for values in (ages, gender, *weights)]
        return cls(columns[0], columns[1], columns[2], columns[3], arrays["source"])


class Trainer:
    """Trains a network by a recipe, and keeps the mean of its weights.

    Convolutions run in the recipe's type; BatchNorm's statistics and the dense layers in float32.

    Args:
        network: on ``device``. A convolution's bias goes into the mean of its BatchNorm, as in
            :func:`train.normalization.absorb_bias`, and is trained no more.
        recipe: losses, rates, and stages that train all layers on one shared cosine.
        device: ``"cuda"`` or ``"cpu"``.
    """

    def __init__(self, network: TorchNetwork, recipe: Recipe, device: str):
        self.network, self.recipe, self.device = network, recipe, device
        self.dtype = getattr(torch, "bfloat16" if recipe.compute_dtype == "auto" else recipe.compute_dtype)
        for layer in network.children():
            if isinstance(layer, torch.nn.ModuleDict):
                absorb_bias(layer["convolution"], layer["normalization"])
                layer["normalization"].momentum = recipe.statistics_rate
        self.parameters = [tensor for tensor in network.parameters() if tensor.requires_grad]
        self.decaying = [tensor.detach() for tensor in self.parameters if tensor.ndim > 1]
        self.optimizer = torch.optim.SGD(self.parameters, 0.1, recipe.momentum, nesterov=True)
        self.average = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    def answers(self, pixels: torch.Tensor, state: dict[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
        """``age`` (N, 1), ``gender`` (N, 1) and ``age_distribution`` (N, ages) for (N, S, S, 3) uint8 RGB.

        Args:
            state: used instead of the network's own.
        """
        x = network_input(pixels, self.network.layout.preprocessing)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            outputs = self.network(x) if state is None else torch.func.functional_call(self.network, state, (x,))
        age, distribution = ages_of(outputs["age_logits"])
        assert distribution is not None
        female = outputs["gender_logits"].sigmoid()
        return {"age": age[:, None], "gender": female, "age_distribution": distribution}

    def loss(self, outputs: dict, labels: Labels, rows: torch.Tensor) -> torch.Tensor:
        """The recipe's loss of a batch, as :class:`train.model.TrainingModel` compiles it: sums over all its rows."""
        recipe, ages = self.recipe, labels.ages[rows]
        distribution, female = outputs["age_distribution"], outputs["gender"][:, 0]
        years = torch.arange(distribution.shape[1], device=distribution.device, dtype=torch.float32)[None]
        of_age = recipe.huber_weight * losses.huber(torch, ages, outputs["age"][:, 0], recipe.huber_delta)
        likelihood = losses.age_likelihood(torch, ages, distribution, years, recipe.age_spread)
        of_age = of_age + recipe.soft_age_weight * likelihood
        known = labels.gender[rows].clamp(min=0)
        of_gender = losses.gender_cross_entropy(torch, known, female, recipe.gender_smoothing)
        return (of_age * labels.age_weight[rows] + recipe.bce_weight * of_gender * labels.gender_weight[rows]).mean()

    def step(self, pixels: torch.Tensor, labels: Labels, rows: torch.Tensor, rate: float, decay: float) -> tuple:
        """One step; the loss and the outputs, not waited for."""
        outputs = self.answers(pixels)
        loss = self.loss(outputs, labels, rows)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        with torch.no_grad():
            gradients = [tensor.grad for tensor in self.parameters]
            norms = torch.stack(torch._foreach_norm(gradients))
            shares = (self.recipe.largest_gradient / (norms + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(gradients, list(shares.unbind()))
            torch._foreach_mul_(self.decaying, 1 - rate * decay)
            self.optimizer.param_groups[0]["lr"] = rate
            self.optimizer.step()
            now = [tensor.detach() for tensor in self.network.state_dict().values()]
            torch._foreach_lerp_(list(self.average.values()), now, 1 - self.recipe.weight_average)
        return loss.detach(), {name: values.detach() for name, values in outputs.items()}


def absorb_bias(convolution: torch.nn.Conv2d, normalization: torch.nn.BatchNorm2d) -> None:
    """As :func:`train.normalization.absorb_bias`."""
    if convolution.bias is not None:
        with torch.no_grad():
            normalization.running_mean -= convolution.bias
            convolution.bias.zero_()
        convolution.bias.requires_grad_(False)


def place(recipe: Recipe, progress: float) -> tuple[Stage, float]:
    """The stage at a share of the whole, 0 to 1, and the learning rate."""
    stage = next((s for s in recipe.stages if progress < recipe.share_of_schedule(s)[1]), recipe.stages[-1])
    high, low = stage.learning_rate, stage.final_learning_rate
    return stage, low + (high - low) * 0.5 * (1 + math.cos(math.pi * progress))


def ahead(feed: "Feed", device: str, depth: int = 4) -> queue.Queue:
    """A queue of ``(rows, pixels on the device)``, filled by a thread of its own."""
    filled: queue.Queue = queue.Queue(depth)
    stream = torch.cuda.Stream() if device == "cuda" else None

    def use(pixels: np.ndarray) -> torch.Tensor:
        if stream is None:
            return torch.from_numpy(pixels.copy())
        with torch.cuda.stream(stream):
            moved = torch.from_numpy(pixels).to(device)
        stream.synchronize()
        return moved

    def work() -> None:
        batch = 0
        while True:
            filled.put(feed.take(batch, use))
            batch += 1

    threading.Thread(target=work, daemon=True).start()
    return filled


def figures(labels: Labels, rows: torch.Tensor, outputs: dict[str, torch.Tensor]) -> dict[str, float]:
    """``age_mae``, ``age_inside``, ``gender_accuracy`` and ``gender_auc`` of some rows' outputs."""
    ages, gender = labels.ages[rows], labels.gender[rows]
    known = gender >= 0
    answers = {"age_mae": outside(ages, outputs["age"]), "age_inside": inside(ages, outputs["age"])}
    answers = {name: float(values.mean()) for name, values in answers.items()}
    wanted, given = gender[known].cpu().numpy(), outputs["gender"][known, 0].cpu().numpy()
    auc = keras.metrics.AUC()
    auc.update_state(wanted, given)
    answers["gender_accuracy"] = float(((given > 0.5) == wanted).mean())
    return answers | {"gender_auc": float(auc.result())}


def judge(trainer: Trainer, pixels: torch.Tensor, labels: Labels) -> dict[str, float]:
    """Validation figures of the mean of the weights: UTKFace's by their names, those of a further set with its name
    before."""
    trainer.network.eval()
    with torch.no_grad():
        parts = [trainer.answers(part, trainer.average) for part in pixels.split(JUDGED_AT_ONCE)]
    trainer.network.train()
    outputs = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    scores: dict[str, float] = {}
    for source in dict.fromkeys(labels.source.tolist()):
        rows = torch.from_numpy(np.flatnonzero(labels.source == source)).to(pixels.device)
        found = figures(labels, rows, {name: values[rows] for name, values in outputs.items()})
        before = "val_" if source == HOME else f"val_{source}_"
        scores |= {f"{before}{name}": value for name, value in found.items()}
    return scores


def fit(
    trainer: Trainer,
    feed: "Feed",
    labels: Labels,
    validation: dict[int, torch.Tensor],
    validated: Labels,
    seconds: float,
    times_judged: int,
    keep: Callable[[dict, bool], None],
) -> None:
    """Trains for so many seconds.

    Args:
        labels: of the feed's rows.
        validation: the pictures to judge by, (N, S, S, 3) by their side; ``validated`` are their labels.
        times_judged: in equal parts of the time.
        keep: called with each row of the log, and whether it is the last.
    """
    device, recipe = trainer.device, trainer.recipe
    trainer.network.train()
    batches = ahead(feed, device)
    start = part_start = time.monotonic()
    step = part = 0
    seen: list[tuple] = []
    while part < times_judged:
        stage, rate = place(recipe, min((time.monotonic() - start) / seconds, 1.0))
        feed.size = stage.size
        chosen, pixels = batches.get()
        if device == "cuda":
            pixels.record_stream(torch.cuda.current_stream())
        rows = torch.from_numpy(chosen.astype(np.int64)).to(device)
        rate *= min((step + 1) / max(stage.warmup_steps, 1), 1.0)
        loss, outputs = trainer.step(pixels, labels, rows, rate, stage.weight_decay or 0.0)
        seen.append((loss, rows, outputs["age"], outputs["gender"]))
        step += 1
        if time.monotonic() - start < seconds * (part + 1) / times_judged:
            continue
        part += 1
        row = {"stage": stage.name, "epoch": part, "size": int(pixels.shape[1])}
        row |= {"seconds": time.monotonic() - part_start, "passes": len(seen) / feed.steps, "rate": rate}
        row |= _training_figures(labels, seen) | judge(trainer, validation[stage.size], validated)
        keep(row, part == times_judged)
        seen, part_start = [], time.monotonic()


def _training_figures(labels: Labels, seen: list[tuple]) -> dict[str, float]:
    """The mean loss of some steps, and what the network answered before each."""
    losses, rows, ages, genders = (list(column) for column in zip(*seen, strict=True))
    answered = {"age": torch.cat(ages), "gender": torch.cat(genders)}
    return {"loss": float(torch.stack(losses).mean())} | figures(labels, torch.cat(rows), answered)


def write_weights(state: dict[str, torch.Tensor], folder: pathlib.Path, most: int = 15_500_000) -> None:
    """Writes a network's state as ``model-00001-of-0000N.safetensors`` and so on, each smaller than ``most`` bytes, and
    the list of them, as transformers does: what travels back from a lent machine has a largest size."""
    stored = {PREFIX + name: v.half() if v.ndim > 1 else v.float() for name, v in state.items()}
    part = folder / "part"
    part.mkdir(exist_ok=True)
    huggingface_hub.save_torch_state_dict(stored, part, max_shard_size=most)
    for file in sorted(part.iterdir(), key=lambda file: file.name.endswith(".json")):  # the list last
        file.replace(folder / file.name)
    part.rmdir()
