"""Averaged weights: a running mean over the steps of training, which is judged and ships; and the mean of two models.

    python -m train.average FIRST SECOND --share 0.5 --data UTKFACE --also FAIRFACE --out FOLDER

Source: Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; Izmailov et al., Averaging
Weights Leads to Wider Optima, UAI 2018, whose mean is over epochs.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np

from hf_model.console import expanded_path
from hf_model.settings import Heads

if TYPE_CHECKING:
    from train.data import Chips
    from train.model import TrainingModel


class WeightAverage(keras.callbacks.Callback):
    """Moves a copy of the variables, BatchNorm's statistics among them, towards them after every step.

    Args:
        network: whose variables are averaged.
        momentum: the share of the mean that stays at each step.
    """

    def __init__(self, network: keras.Model, momentum: float):
        super().__init__()
        self.network, self.momentum = network, momentum
        self.values = self._copies()

    def _copies(self) -> dict:
        """The variables' values, by path."""
        values = ((v.path, np.array(keras.ops.convert_to_numpy(v.value))) for v in self.network.variables)
        return {path: keras.ops.convert_to_tensor(value) for path, value in values}

    def on_train_batch_end(self, batch, logs=None):
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        now = [v.value for v in self.network.variables]
        if keras.backend.backend() == "torch":  # all in one operation
            import torch

            torch._foreach_lerp_(list(self.values.values()), [v.detach() for v in now], 1 - self.momentum)
            return
        for path, value in zip(list(self.values), now, strict=True):
            self.values[path] += (value - self.values[path]) * (1 - self.momentum)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """While it lasts, the network holds the mean."""
        own = self._copies()
        self._assign(self.values)
        try:
            yield
        finally:
            self._assign(own)

    def settle(self) -> None:
        """Leaves the mean in the network."""
        self._assign(self.values)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Goes on from kept values, by path."""
        self.values = {path: keras.ops.convert_to_tensor(arrays[path]) for path in self.values}

    def _assign(self, values: dict) -> None:
        for variable in self.network.variables:
            variable.assign(values[variable.path])


def mix(first: dict[str, np.ndarray], second: dict[str, np.ndarray], share: float) -> dict[str, np.ndarray]:
    """Two models' variables by path, ``share`` of the second in each, float32.

    Raises:
        ValueError: they are not of one architecture.
    """
    apart = sorted(
        name
        for name in first.keys() | second.keys()
        if name not in first or name not in second or first[name].shape != second[name].shape
    )
    if apart:
        raise ValueError(f"The two weights do not fit each other: {', '.join(apart[:3])} and perhaps more.")
    return {
        name: (1 - share) * first[name].astype(np.float32) + share * second[name].astype(np.float32) for name in first
    }


def main(argv: list[str] | None = None) -> None:
    """Mixes two models, takes BatchNorm's statistics anew, and writes a folder that a run can begin from."""
    parser = argparse.ArgumentParser(
        prog="python -m train.average",
        description="Averages two models' weights, for a short last tuning: python -m train --init-from OUT/model.safetensors "
        "(Wortsman et al., Robust Fine-tuning of Zero-shot Models, CVPR 2022).",
    )
    parser.add_argument("first", type=expanded_path, help="weights (.safetensors); the history is that of their run")
    parser.add_argument(
        "second", type=expanded_path, help="other weights, related to the first: one began at the other"
    )
    parser.add_argument("--share", type=float, default=0.5, help="of the second, 0 to 1 (default: 0.5)")
    parser.add_argument("--data", required=True, help="UTKFace, as for python -m train")
    parser.add_argument("--also", action="append", default=[], metavar="[NAME=]SET", help="as for python -m train")
    parser.add_argument("--recipe", default="best", help="whose changed pictures BatchNorm's statistics are taken from")
    parser.add_argument("--batches", type=int, default=100, help="how many batches of them (default: 100)")
    parser.add_argument("--out", type=expanded_path, required=True, help="the folder to write")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    if not 0 <= args.share <= 1:
        parser.error(f"--share {args.share}: from 0 (the first alone) to 1 (the second alone)")

    from hf_model.download import file_sha256, write_whole
    from hf_model.network.weights import WeightsError, read_tensors, save_weights
    from train.data import load_chips
    from train.model import new_model
    from train.recipe import load_recipe
    from train.run import FILES, keep_history
    from train.sets import add_sets

    recipe = load_recipe(args.recipe)
    try:
        mixed = mix(read_tensors(args.first), read_tensors(args.second), args.share)
        chips, _ = add_sets(*load_chips(args.data, args.cache, recipe.label_conflicts), args.also, recipe, args.cache)
    except (WeightsError, ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    model = new_model(recipe, heads_of(mixed), None)
    for variable in model.network.variables:
        variable.assign(mixed[variable.path])
    take_statistics(model, chips["train"], args.batches)
    args.out.mkdir(parents=True, exist_ok=True)
    source = args.first.parent
    run: dict = {}
    if all((source / name).is_file() for name in FILES):
        keep_history(source, args.out)
        run = json.loads((args.out / "run.json").read_text(encoding="utf-8"))
    run["averaged"] = {"first": file_sha256(args.first), "second": file_sha256(args.second), "share": args.share}
    write_whole(args.out / "run.json", json.dumps(run, indent=2) + "\n")
    save_weights(model.network, args.out / "model.safetensors", {"recipe": recipe.name})
    print(f"Wrote {args.out / 'model.safetensors'}")


def heads_of(variables: dict[str, np.ndarray]) -> Heads:
    """The heads that variables, by path, were built by."""
    size, _, _, filters = variables["age_conv/kernel"].shape
    units, bins = variables["age_distribution/kernel"].shape
    return Heads(filters, size, units, bins)


def take_statistics(model: "TrainingModel", chips: "Chips", batches: int) -> None:
    """Takes BatchNorm's statistics anew, from batches of the recipe's last stage."""
    from train.batches import Batches
    from train.model import prepare_stage

    stage = dataclasses.replace(model.recipe.stages[-1], train="all", parts=1)
    data = Batches(chips, model.recipe, stage, seed=(model.recipe.seed, len(model.recipe.stages)))
    prepare_stage(model, dataclasses.replace(stage, schedule="constant"), 1)
    forward = model.__call__
    if keras.backend.backend() == "torch":
        import torch

        forward = torch.no_grad()(model.__call__)
    for index in range(min(batches, len(data))):
        forward(data[index][0], training=True)


if __name__ == "__main__":
    main()
