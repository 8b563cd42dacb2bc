"""Measures what caching, folding and bfloat16 save in training: `python -m benchmarks.bench_training`.

Made-up chips, TensorFlow or whatever ``KERAS_BACKEND`` says. Compared in one run, in turns, after one
round that compiles: an epoch of stage 2 (``conv5`` and heads) on pictures and on the cached activations
of the frozen part; an end-to-end step with BatchNorm folded into the kernels, with Keras's own layers,
and folded in bfloat16 (slower than float32 on a processor that does not multiply it). Written to ``benchmarks/training.json``.
"""

import argparse
import dataclasses
import json
import pathlib
import tempfile
import time

import keras

from benchmarks.bench_predictor import MODEL, in_turns
from benchmarks.common import write_report
from hf_model.architecture import build_model
from train.batches import Activations, Batches, cache_activations
from train.fit import compiled_frozen
from train.model import TrainingModel, new_model, prepare_stage
from train.recipe import Stage, load_recipe
from train.smoke import smoke_chips


class WithLayers(TrainingModel):
    """The same training with Keras's own layers, their BatchNorm in inference mode and not folded."""

    def call(self, inputs, training=None):
        return self.network(inputs, training=False)


def stage_two(model: TrainingModel, size: int, batch_size: int, cached_variants: int) -> Stage:
    """Compiles the model for stage 2, on pictures or on activations."""
    stage = Stage("conv5", "conv5", size, 1, 1e-5, batch_size=batch_size, cached_variants=cached_variants)
    prepare_stage(model, stage, 1)
    return stage


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_training", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=224, help="side of the input in pixels")
    parser.add_argument("--chips", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    args = parser.parse_args(argv)
    heads = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))["heads"]
    recipe = dataclasses.replace(load_recipe("seed"), soft_age_weight=0.0)
    chips = smoke_chips(args.chips)[0]["train"]

    on_pictures, on_activations = (new_model(recipe, heads, None) for _ in range(2))
    stage = stage_two(on_pictures, args.size, args.batch_size, cached_variants=0)
    stage_two(on_activations, args.size, args.batch_size, cached_variants=1)
    pictures = Batches(chips, recipe, stage, (0,))
    in_order = Batches(chips, recipe, stage, (0,), shuffled=False)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        path = pathlib.Path(folder) / "activations.npy"
        features = cache_activations(compiled_frozen(on_activations), in_order, path, recipe.cache_limit_gb)
        caching = time.perf_counter() - start
        activations = Activations(features, chips, recipe, stage, (0,))
        epochs = in_turns(
            args.repeats,
            pictures=lambda: on_pictures.fit(pictures, epochs=1, shuffle=False, verbose=0),
            cached=lambda: on_activations.fit(activations, epochs=1, shuffle=False, verbose=0),
        )

    folded, layers = new_model(recipe, heads, None), WithLayers(build_model(heads), recipe)
    halved = new_model(dataclasses.replace(recipe, compute_dtype="bfloat16"), heads, None)
    for model in (folded, layers, halved):
        prepare_stage(model, Stage("all", "all", args.size, 1, 1e-5, batch_size=args.batch_size), 1)
    pixels, targets = pictures[0]
    steps = in_turns(
        args.repeats,
        folded=lambda: folded.train_on_batch(pixels, targets),
        layers=lambda: layers.train_on_batch(pixels, targets),
        bfloat16=lambda: halved.train_on_batch(pixels, targets),
    )
    figures = {
        "backend": keras.backend.backend(),
        "size": args.size,
        "chips": args.chips,
        "batch_size": args.batch_size,
        "stage_2_epoch_s": epochs,
        "caching_once_s": caching,
        "cached_times_faster": epochs["pictures"] / epochs["cached"],
        "end_to_end_step_s": steps,
        "folded_times_faster": steps["layers"] / steps["folded"],
        "bfloat16_times_faster": steps["folded"] / steps["bfloat16"],
    }
    write_report("training", ("keras", keras.backend.backend(), "numpy"), figures)


if __name__ == "__main__":
    main()
