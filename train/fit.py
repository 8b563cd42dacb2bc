"""The training loop: stages of a recipe, a checkpoint an epoch, resumable after any kill."""

import os
import pathlib
import time

import keras
import numpy as np

from hf_model.weights import save_weights
from train.data import Activations, Batches, Chips, cache_activations, steps_per_epoch
from train.devices import Padded
from train.model import TrainingModel, prepare_stage
from train.recipe import Stage
from train.run import Progress, Run, plot_log


def fit(
    model: TrainingModel,
    chips: dict[str, Chips],
    run: Run,
    cache: pathlib.Path,
    devices: int = 1,
    last_stage: str | None = None,
    start: dict[str, np.ndarray] | None = None,
) -> bool:
    """Trains through all stages of the model's recipe, from where the run folder stands.

    Args:
        devices: over how many :func:`train.devices.use_devices` spread the model.
        last_stage: stop after the stage of that name.
        start: the trained weights that the run began from, by path, if it did.

    Returns:
        Whether the recipe is at its end, and the weights are written.
    """
    stages = model.recipe.stages
    if model.recipe.validation_chips:
        # Rows lie in the order of the files, which is by age: a random choice, the same in every run.
        rows = np.random.default_rng(0).permutation(len(chips["validation"]))[: model.recipe.validation_chips]
        chips = {**chips, "validation": chips["validation"].take(np.sort(rows))}
    progress = run.progress()
    resumed = run.checkpoint() is not None
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        prepare_stage(model, stage, steps_per_epoch(len(chips["train"]), stage.batch_size, stage.parts))
        if resumed:
            run.restore(model)
            resumed = False
        print(
            f"\nStage {progress.stage + 1}/{len(stages)} {stage.name}: trains {stage.train} at {stage.size} px",
            flush=True,
        )
        while progress.epoch < stage.epochs and progress.epoch - progress.best_epoch <= stage.patience:
            _epoch(model, stage, chips, run, cache, progress, devices)
        if stage.keep == "best" and run.checkpoint():
            run.restore(model, "best.npz")
        progress = Progress(stage=progress.stage + 1)
        if start and stage.start_share:
            blend(model, start, stage.start_share)
        run.save(model, progress, is_best=False)
        plot_log(run.log_path, run.folder / "curves.png")
        if stage.name == last_stage and progress.stage < len(stages):
            return False
    save_weights(model.network, run.folder / "model.safetensors", {"recipe": model.recipe.name})
    return True


def blend(model: TrainingModel, start: dict[str, np.ndarray], share: float) -> None:
    """Moves the network's variables by that share of the way back to where they started."""
    for variable in model.network.variables:
        now = keras.ops.convert_to_numpy(variable.value)
        variable.assign(share * start[variable.path] + (1 - share) * now)


def _epoch(
    model: TrainingModel,
    stage: Stage,
    chips: dict[str, Chips],
    run: Run,
    cache: pathlib.Path,
    progress: Progress,
    devices: int,
) -> None:
    recipe = model.recipe
    whole_passes, part = divmod(progress.epoch, stage.parts)
    seed = (recipe.seed, progress.stage, whole_passes)
    training: keras.utils.PyDataset
    validation: keras.utils.PyDataset
    if stage.cached_variants:
        variant = progress.epoch % stage.cached_variants
        training = Activations(
            _cached(model, stage, chips["train"], cache, variant), chips["train"], recipe, stage, seed
        )
        features = _cached(model, stage, chips["validation"], cache, None)
        validation = Activations(features, chips["validation"], recipe, stage)
    else:
        training = Batches(chips["train"], recipe, stage, seed, part)
        validation = Batches(chips["validation"], recipe, stage)
    if devices > 1:
        validation = Padded(validation, devices)
    print(f"{stage.name} epoch {progress.epoch + 1}/{stage.epochs}", flush=True)
    start = time.monotonic()
    logs = model.fit(training, verbose=2 if os.environ.get("CI") else "auto", epochs=1, shuffle=False).history
    scores = model.evaluate(validation, verbose=0, return_dict=True)
    row: dict[str, str | int | float] = {"stage": stage.name, "epoch": progress.epoch + 1, "size": stage.size}
    row["seconds"] = round(time.monotonic() - start, 1)
    row |= {name: round(float(values[-1]), 5) for name, values in logs.items()}
    row |= {f"val_{name}": round(float(value), 5) for name, value in scores.items()}
    print(
        f"  val: MAE {row['val_age_mae']:.3f}, gender {row['val_gender_accuracy']:.4f}, AUC {row['val_gender_auc']:.4f}",
        flush=True,
    )
    auc = round(float(scores["gender_auc"]), 5)
    is_best = auc > progress.best_auc
    if is_best:
        progress.best_auc, progress.best_epoch = auc, progress.epoch
    progress.epoch += 1
    run.log(row)
    run.save(model, progress, is_best)


def _cached(model: TrainingModel, stage: Stage, chips: Chips, cache: pathlib.Path, variant: int | None) -> np.ndarray:
    """The frozen part's activations for one augmented variant (None: not augmented), computed at most once.

    The frozen part differs between stages only by what earlier stages trained, so the file is named
    by the stage and lives in the run's own cache.
    """
    recipe = model.recipe
    seed = None if variant is None else (recipe.seed, variant)
    batches = Batches(chips, recipe, stage, seed, shuffled=False)
    name = f"{stage.name}-{stage.size}-{'plain' if variant is None else variant}.npy"
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
