"""The training loop: stages of a recipe, a checkpoint an epoch, resumable after any kill."""

import contextlib
import os
import pathlib
import sys
import time

import keras
import numpy as np

from hf_model.network.weights import save_weights
from train.average import WeightAverage
from train.batches import Activations, Batches, cache_activations, rows_of_pass, steps_per_epoch
from train.curves import plot_log
from train.data import HOME, Chips
from train.devices import Padded
from train.model import TrainingModel, prepare_stage
from train.recipe import Stage
from train.run import Progress, Run
from train.teacher import TeachingModel


def fit(
    model: TrainingModel,
    chips: dict[str, Chips],
    run: Run,
    cache: pathlib.Path,
    devices: int = 1,
    last_stage: str | None = None,
    teacher: TeachingModel | None = None,
) -> bool:
    """Trains through all stages of the model's recipe, from where the run folder stands.

    Args:
        devices: over how many :func:`train.devices.use_devices` spread the model.
        last_stage: stop after the stage of that name.
        teacher: the other model that a recipe learns from.

    Returns:
        Whether the recipe is at its end, and the weights are written.
    """
    recipe = model.recipe
    stages = recipe.stages
    if recipe.validation_chips:
        chips = {**chips, "validation": some_of_each(chips["validation"], recipe.validation_chips)}
    progress = run.progress()
    average = WeightAverage(model.network, recipe.weight_average) if recipe.weight_average else None
    faces = len(rows_of_pass(chips["train"], recipe))
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        prepare_stage(model, stage, steps_per_epoch(faces, stage.batch_size, stage.parts))
        if run.checkpoint():
            carried = progress.stage > 0 and stage.carries_on(stages[progress.stage - 1])
            run.restore(model, average, moments="all" if progress.epoch else "carried" if carried else "none")
        print(
            f"\nStage {progress.stage + 1}/{len(stages)} {stage.name}: trains {stage.train} at {stage.size} px",
            flush=True,
        )
        while progress.epoch < stage.epochs and progress.epoch - progress.best_epoch <= stage.patience:
            _epoch(model, stage, chips, run, cache, progress, devices, average, teacher)
        if stage.keep == "best" and run.checkpoint():
            run.restore(model, average, "best.npz")
        progress = Progress(stage=progress.stage + 1)
        run.save(model, progress, is_best=False, average=average.values if average else None)
        plot_log(run.log_path, run.folder / "curves.png")
        if stage.name == last_stage and progress.stage < len(stages):
            return False
    if average:
        average.settle()
    save_weights(model.network, run.folder / "model.safetensors", {"recipe": recipe.name})
    return True


def some_of_each(chips: Chips, n: int) -> Chips:
    """``n`` faces of each set, chosen at random, the same in every run: rows lie in the order of the files, by age."""
    chosen = []
    for source in dict.fromkeys(chips.source.tolist()):
        rows = np.flatnonzero(chips.source == source)
        chosen.append(np.sort(np.random.default_rng(0).permutation(rows)[:n]))
    return chips.take(np.concatenate(chosen))


def _epoch(
    model: TrainingModel,
    stage: Stage,
    chips: dict[str, Chips],
    run: Run,
    cache: pathlib.Path,
    progress: Progress,
    devices: int,
    average: WeightAverage | None,
    teacher: TeachingModel | None,
) -> None:
    recipe = model.recipe
    whole_passes, part = divmod(progress.epoch, stage.parts)
    seed = (recipe.seed, progress.stage, whole_passes)
    training: keras.utils.PyDataset
    if stage.cached_variants:
        variant = progress.epoch % stage.cached_variants
        features = _cached(model, stage, chips["train"], cache, variant)
        training = Activations(features, chips["train"], recipe, stage, seed)
    else:
        taught = None
        if teacher is not None and recipe.teacher is not None:
            before = sum(one.epochs // one.parts for one in recipe.stages[: progress.stage])
            taught = teacher.copy((before + whole_passes) % recipe.teacher.copies)
        training = Batches(chips["train"], recipe, stage, seed, part, taught=taught)
    print(f"{stage.name} epoch {progress.epoch + 1}/{stage.epochs}", flush=True)
    start = time.monotonic()
    verbose = 2 if os.environ.get("CI") or not sys.stdout.isatty() else "auto"
    callbacks = [average] if average else []
    logs = model.fit(training, verbose=verbose, epochs=1, shuffle=False, callbacks=callbacks).history
    with average.in_place() if average else contextlib.nullcontext():
        scores = _judge(model, stage, chips["validation"], cache, devices)
    row: dict[str, str | int | float] = {"stage": stage.name, "epoch": progress.epoch + 1, "size": stage.size}
    row["seconds"] = round(time.monotonic() - start, 1)
    row |= {name: round(float(values[-1]), 5) for name, values in logs.items()}
    row |= {f"val_{name}": round(float(value), 5) for name, value in scores.items()}
    print(
        "  " + ", ".join(f"{name} {value:.4f}" for name, value in row.items() if str(name).startswith("val_")),
        flush=True,
    )
    auc = round(float(scores["gender_auc"]), 5)
    is_best = auc > progress.best_auc
    if is_best:
        progress.best_auc, progress.best_epoch = auc, progress.epoch
    progress.epoch += 1
    run.log(row)
    run.save(model, progress, is_best, average.values if average else None)


def _judge(model: TrainingModel, stage: Stage, chips: Chips, cache: pathlib.Path, devices: int) -> dict[str, float]:
    """Validation figures: UTKFace's by their names, those of a further set with its name before."""
    scores = {}
    for source, faces in chips.by_source().items():
        validation: keras.utils.PyDataset
        if stage.cached_variants:
            features = _cached(model, stage, faces, cache, None, source)
            validation = Activations(features, faces, model.recipe, stage)
        else:
            validation = Batches(faces, model.recipe, stage)
        if devices > 1:
            validation = Padded(validation, devices)
        for name, value in model.evaluate(validation, verbose=0, return_dict=True).items():
            scores[name if source == HOME else f"{source}_{name}"] = value
    return scores


def _cached(
    model: TrainingModel, stage: Stage, chips: Chips, cache: pathlib.Path, variant: int | None, source: str = HOME
) -> np.ndarray:
    """The frozen part's activations for one augmented variant (None: not augmented), computed at most once.

    The frozen part differs between stages only by what earlier stages trained, so the file is named
    by the stage and lives in the run's own cache.
    """
    recipe = model.recipe
    seed = None if variant is None else (recipe.seed, variant)
    batches = Batches(chips, recipe, stage, seed, shuffled=False)
    which = f"plain-{source}" if variant is None else variant
    name = f"{stage.name}-{stage.size}-{which}.npy"
    return cache_activations(compiled_frozen(model), batches, cache / name, recipe.cache_limit_gb)


def compiled_frozen(model: TrainingModel):
    """The frozen part as a compiled function from a numpy batch to a numpy batch, on any backend."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        run = tensorflow.function(model.frozen, reduce_retracing=True)
    elif keras.backend.backend() == "jax":
        import jax

        run = jax.jit(model.frozen)
    else:
        import torch

        run = torch.no_grad()(model.frozen)
    return lambda pictures: keras.ops.convert_to_numpy(run(pictures))
