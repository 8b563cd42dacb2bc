"""Measures the trainer: `python -m benchmarks.bench_training`, wants PyTorch (`make bench-training`).

Two comparisons on made-up chips, in turns in one run, after one round that warms up. Pictures trained a second by all
layers with live BatchNorm, averaged weights and the recipe's augmentation beside a plain PyTorch loop, whose pictures
are changed by the same code in a thread of its own, at each size of the recipe. And an epoch of stage 2 (``conv5`` and
heads) on pictures beside one on the cached activations of the frozen part. Written to ``benchmarks/training.json``.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

os.environ["KERAS_BACKEND"] = "torch"
MODEL = pathlib.Path("hf_model")

if TYPE_CHECKING:
    from hf_model.settings import Heads
    from train.batches import Batches
    from train.model import TrainingModel
    from train.recipe import Recipe, Stage


def ahead(batches: "Batches") -> Iterator[tuple]:
    """Batches made in a thread, a few ahead of their use, as a PyTorch loop takes them."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(batches.__getitem__, index) for index in range(len(batches))]
        for future in pending:
            pictures, answers, _ = future.result()
            yield pictures, answers["age"][:, 0].astype("int64"), answers["gender"][:, 0]


def compare_at(size: int, recipe: "Recipe", heads: "Heads", chips, repeats: int) -> dict:
    """Pictures a second of the trainer and of the plain loop at one size, medians of the rounds."""
    from benchmarks.plain_training import PlainLoop
    from train.average import WeightAverage
    from train.batches import Batches
    from train.model import new_model, prepare_stage
    from train.recipe import Stage

    stage = Stage("all", "all", size, 1, 1e-3, batch_size=recipe.batch_size, optimizer="sgd")
    model, plain = new_model(recipe, heads, None), PlainLoop(heads)
    prepare_stage(model, stage, 1)
    average = WeightAverage(model.network, recipe.weight_average)
    batches = Batches(chips, recipe, stage, (0,))
    n = len(batches.rows)
    took: dict[str, list[float]] = {"trainer": [], "plain": []}
    for round_ in range(repeats + 1):
        start = time.perf_counter()
        model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[average])
        middle = time.perf_counter()
        plain.train(ahead(batches))
        if round_:
            took["trainer"].append(middle - start)
            took["plain"].append(time.perf_counter() - middle)
    speeds = {name: n / statistics.median(seconds) for name, seconds in took.items()}
    return {**speeds, "ratio": speeds["trainer"] / speeds["plain"]}


def stage_two(model: "TrainingModel", size: int, batch_size: int, cached_variants: int) -> "Stage":
    """Compiles the model for stage 2, on pictures or on activations."""
    from train.model import prepare_stage
    from train.recipe import Stage

    stage = Stage("conv5", "conv5", size, 1, 1e-5, batch_size=batch_size, cached_variants=cached_variants)
    prepare_stage(model, stage, 1)
    return stage


def compare_caching(recipe: "Recipe", heads: "Heads", chips, size: int, repeats: int) -> dict:
    """Seconds of an epoch of stage 2 on pictures and on cached activations, and of filling the cache."""
    from benchmarks.common import in_turns
    from train.batches import Activations, Batches, cache_activations
    from train.fit import compiled_frozen
    from train.model import new_model

    on_pictures, on_activations = (new_model(recipe, heads, None) for _ in range(2))
    stage = stage_two(on_pictures, size, 32, cached_variants=0)
    stage_two(on_activations, size, 32, cached_variants=1)
    pictures, in_order = Batches(chips, recipe, stage, (0,)), Batches(chips, recipe, stage, (0,), shuffled=False)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        path = pathlib.Path(folder) / "activations.npy"
        features = cache_activations(compiled_frozen(on_activations), in_order, path, recipe.cache_limit_gb)
        caching = time.perf_counter() - start
        activations = Activations(features, chips, recipe, stage, (0,))
        epochs = in_turns(
            repeats,
            pictures=lambda: on_pictures.fit(pictures, epochs=1, shuffle=False, verbose=0),
            cached=lambda: on_activations.fit(activations, epochs=1, shuffle=False, verbose=0),
        )
    return {
        "size": size,
        "chips": len(chips),
        "epoch_s": epochs,
        "caching_once_s": caching,
        "cached_times_faster": epochs["pictures"] / epochs["cached"],
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_training", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[112, 160, 224], help="sides of the input in pixels")
    parser.add_argument("--batches", type=int, default=6, help="of 64 pictures, in a round")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args(argv)

    from benchmarks.common import write_report
    from hf_model.settings import Settings
    from train.recipe import load_recipe
    from train.smoke import smoke_chips

    heads = Settings.load(MODEL).heads
    recipe = load_recipe("best")
    chips = smoke_chips(args.batches * recipe.batch_size)[0]["train"]
    at_sizes = {str(size): compare_at(size, recipe, heads, chips, args.repeats) for size in args.sizes}
    seed = dataclasses.replace(load_recipe("seed"), soft_age_weight=0.0)
    caching = compare_caching(seed, heads, chips.take(range(128)), 224, args.repeats)
    figures = {"batch_size": recipe.batch_size, "compute_dtype": recipe.compute_dtype}
    write_report(
        "training", ("keras", "torch", "numpy"), {**figures, "pictures_a_second": at_sizes, "caching": caching}
    )


if __name__ == "__main__":
    main()
