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

import keras
import numpy as np
import safetensors.numpy
import torch

from train.data import HOME
from train.jobs.gpu.network import Network
from train.losses import AgeLikelihood, OutsideHuber, inside, outside
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

    Args:
        recipe: losses, rates, and stages that train all layers on one shared cosine.
    """

    def __init__(self, network: Network, recipe: Recipe):
        self.network, self.recipe = network, recipe
        trained = network.trained()
        self.parameters = list(trained.values())
        self.decaying = [tensor for path, tensor in trained.items() if path.endswith("kernel")]
        self.optimizer = torch.optim.SGD(self.parameters, 0.1, recipe.momentum, nesterov=True)
        self.average = {path: tensor.detach().clone() for path, tensor in network.values.items()}
        self.huber, self.likelihood = OutsideHuber(recipe.huber_delta), AgeLikelihood(recipe.age_spread)

    def loss(self, outputs: dict, labels: Labels, rows: torch.Tensor) -> torch.Tensor:
        """The recipe's loss of a batch, as :class:`train.model.TrainingModel` compiles it: sums over all its rows."""
        recipe, ages = self.recipe, labels.ages[rows]
        of_age = recipe.huber_weight * self.huber.call(ages, outputs["age"])
        of_age = of_age + recipe.soft_age_weight * self.likelihood.call(ages, outputs["age_distribution"])
        wanted = labels.gender[rows].clamp(min=0) * (1 - recipe.gender_smoothing) + recipe.gender_smoothing / 2
        of_gender = torch.nn.functional.binary_cross_entropy(outputs["gender"][:, 0], wanted, reduction="none")
        return (of_age * labels.age_weight[rows] + recipe.bce_weight * of_gender * labels.gender_weight[rows]).mean()

    def step(self, pixels: torch.Tensor, labels: Labels, rows: torch.Tensor, rate: float, decay: float) -> tuple:
        """One step; the loss and the outputs, not waited for."""
        outputs = self.network(pixels, training=True)
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
            now = [tensor.detach() for tensor in self.network.values.values()]
            torch._foreach_lerp_(list(self.average.values()), now, 1 - self.recipe.weight_average)
        return loss.detach(), {name: values.detach() for name, values in outputs.items()}


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
    with torch.no_grad():
        parts = [trainer.network(part, False, trainer.average) for part in pixels.split(JUDGED_AT_ONCE)]
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
    device, recipe = trainer.network.device, trainer.recipe
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


def write_pieces(arrays: dict[str, np.ndarray], folder: pathlib.Path, most: int = 15_500_000) -> None:
    """Writes variables as safetensors files that are each smaller than ``most`` bytes, kernels as float16."""
    pieces: list[dict] = [{}]
    size = 0
    for path, values in arrays.items():
        values = values.astype(np.float16) if values.ndim > 1 else values
        if size + values.nbytes > most:
            pieces.append({})
            size = 0
        pieces[-1][path] = values
        size += values.nbytes + 200
    for number, piece in enumerate(pieces):
        partial = folder / "part"
        safetensors.numpy.save_file(piece, partial)
        partial.replace(folder / f"weights{number}.safetensors")
