"""The training loop: stages of a recipe, a checkpoint an epoch, resumable after any kill."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import shutil
import time

import keras
import numpy as np
import tensorboard.summary

from hf_model.weights import save_weights
from train.data import Activations, Batches, Chips, cache_activations, steps_per_epoch
from train.files import write_whole
from train.model import TrainingModel, prepare_stage
from train.plots import plot_log
from train.recipe import Stage


@dataclasses.dataclass
class Progress:
    """Where a run stands; with the variables, all that a resumed run needs. Epochs count from 0."""

    stage: int = 0
    epoch: int = 0
    best_auc: float = -1.0
    best_epoch: int = -1


class Run:
    """A run folder: ``checkpoint/`` (the last whole epoch), ``best/`` (of the stage), ``log.csv``."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.log_path = folder / "log.csv"

    def save(self, model: TrainingModel, progress: Progress, is_best: bool) -> None:
        """Writes the last whole epoch; a kill leaves the old checkpoint or the new one, never half."""
        partial = self.folder / "checkpoint.part"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        arrays = {f"model:{v.path}": keras.ops.convert_to_numpy(v.value) for v in model.variables}
        optimizer = {
            f"optimizer:{i}": keras.ops.convert_to_numpy(v.value) for i, v in enumerate(model.optimizer.variables)
        }
        np.savez(partial / "variables.npz", **arrays, **optimizer)
        if is_best:
            np.savez(partial / "best.npz", **arrays)
        elif (self.folder / "checkpoint" / "best.npz").exists():
            os.link(self.folder / "checkpoint" / "best.npz", partial / "best.npz")
        (partial / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)))
        old = self.folder / "checkpoint.old"
        shutil.rmtree(old, ignore_errors=True)
        if (self.folder / "checkpoint").exists():
            os.rename(self.folder / "checkpoint", old)
        os.rename(partial, self.folder / "checkpoint")
        shutil.rmtree(old, ignore_errors=True)

    def checkpoint(self) -> pathlib.Path | None:
        """The last whole checkpoint; ``checkpoint.old`` is one too, if the kill fell between two renames."""
        for name in ("checkpoint", "checkpoint.old"):
            if (self.folder / name / "progress.json").exists():
                return self.folder / name
        return None

    def progress(self) -> Progress:
        checkpoint = self.checkpoint()
        return Progress(**json.loads((checkpoint / "progress.json").read_text())) if checkpoint else Progress()

    def restore(self, model: TrainingModel, file: str = "variables.npz") -> None:
        """Fills the model's variables, and inside a stage the optimizer's; a new stage starts with its own."""
        checkpoint = self.checkpoint()
        if checkpoint is None:
            raise FileNotFoundError(f"{self.folder} holds no checkpoint to go on from.")
        with np.load(checkpoint / file) as arrays:
            for variable in model.variables:
                variable.assign(arrays[f"model:{variable.path}"])
            if "optimizer:0" in arrays and self.progress().epoch > 0:
                model.optimizer.build(model.trainable_variables)
                for index, variable in enumerate(model.optimizer.variables):
                    variable.assign(arrays[f"optimizer:{index}"])

    def log(self, row: dict) -> None:
        """Appends one epoch to ``log.csv``, in place of an earlier row of the same epoch, and to TensorBoard's log."""
        rows = list(csv.DictReader(self.log_path.open())) if self.log_path.exists() else []
        key = (row["stage"], str(row["epoch"]))
        rows = [old for old in rows if (old["stage"], old["epoch"]) != key] + [row]
        text = io.StringIO()
        table = csv.DictWriter(text, fieldnames=list(rows[-1]), lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
        write_whole(self.log_path, text.getvalue())
        writer = tensorboard.summary.Writer(str(self.folder / "tensorboard"))
        for name, value in row.items():
            if isinstance(value, float):
                writer.add_scalar(name, value, step=len(rows))
        writer.close()


def fit(model: TrainingModel, chips: dict[str, Chips], run: Run, cache: pathlib.Path) -> None:
    """Trains through all stages of the model's recipe, from where the run folder stands."""
    stages = model.recipe.stages
    if model.recipe.validation_chips:
        # Rows lie in the order of the files, which is by age: a random choice, the same in every run.
        rows = np.random.default_rng(0).permutation(len(chips["validation"]))[: model.recipe.validation_chips]
        chips = {**chips, "validation": chips["validation"].take(np.sort(rows))}
    progress = run.progress()
    resumed = run.checkpoint() is not None
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        prepare_stage(
            model, stage, steps_per_epoch(len(chips["train"]), stage.batch_size // model.recipe.views, stage.parts)
        )
        if resumed:
            run.restore(model)
            resumed = False
        print(
            f"\nStage {progress.stage + 1}/{len(stages)} {stage.name}: trains {stage.train} at {stage.size} px",
            flush=True,
        )
        while progress.epoch < stage.epochs and progress.epoch - progress.best_epoch <= stage.patience:
            _epoch(model, stage, chips, run, cache, progress)
        if stage.keep == "best" and run.checkpoint():
            run.restore(model, "best.npz")
        progress = Progress(stage=progress.stage + 1)
        run.save(model, progress, is_best=False)
    plot_log(run.log_path, run.folder / "curves.png")
    save_weights(model.network, run.folder / "model.safetensors", {"recipe": model.recipe.name})


def _epoch(
    model: TrainingModel, stage: Stage, chips: dict[str, Chips], run: Run, cache: pathlib.Path, progress: Progress
) -> None:
    recipe = model.recipe
    whole_passes, part = divmod(progress.epoch, stage.parts)
    seed = (recipe.seed, progress.stage, whole_passes)
    if stage.cached_variants:
        training = _cached(model, stage, chips["train"], cache, progress.epoch % stage.cached_variants, seed)
        validation = _cached(model, stage, chips["validation"], cache, None, None)
    else:
        training = Batches(
            chips["train"],
            stage.size,
            stage.batch_size,
            model.soft_age_sigma,
            recipe.augmentation,
            seed,
            (part, stage.parts),
            stage.zoom,
            recipe.views,
        )
        validation = Batches(chips["validation"], stage.validation_size, stage.batch_size, model.soft_age_sigma)
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


def _cached(
    model: TrainingModel, stage: Stage, chips: Chips, cache: pathlib.Path, variant: int | None, seed
) -> Activations:
    """The frozen part's activations for one augmented variant (None: not augmented), computed at most once.

    The frozen part differs between stages only by what earlier stages trained, so the file is named
    by the stage and lives in the run's own cache.
    """
    recipe = model.recipe
    augmentation = None if variant is None else recipe.augmentation
    batches = Batches(chips, stage.size, stage.batch_size, model.soft_age_sigma, augmentation)
    batches.epoch_seed = (recipe.seed, variant or 0)  # of the augmentation; the order stays the chips' own
    name = f"{stage.name}-{stage.size}-{'plain' if variant is None else variant}.npy"
    forward = compiled_frozen(model)
    features = cache_activations(forward, batches, cache / name, recipe.cache_limit_gb)
    return Activations(features, chips, stage.batch_size, model.soft_age_sigma, seed)


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
