"""The run folder: checkpoints, and the log of its epochs."""

import csv
import dataclasses
import io
import json
import os
import pathlib
import shutil
from typing import TYPE_CHECKING

import numpy as np

from hf_model.download import write_whole

if TYPE_CHECKING:
    from train.average import WeightAverage
    from train.model import TrainingModel


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

    def save(self, model: "TrainingModel", progress: Progress, is_best: bool, average: dict | None = None) -> None:
        """Writes how far the run has come; a kill leaves the old checkpoint or the new one, never half.

        Args:
            average: the running mean of the weights, by path, where there is one.
        """
        import keras  # here, since whoever only reads a history need not load it

        partial = self.folder / "checkpoint.part"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        arrays = {f"model:{v.path}": keras.ops.convert_to_numpy(v.value) for v in model.variables}
        arrays |= {f"average:{path}": keras.ops.convert_to_numpy(value) for path, value in (average or {}).items()}
        moments = {_moment(v): keras.ops.convert_to_numpy(v.value) for v in model.optimizer.variables}
        np.savez(partial / "variables.npz", **arrays, **moments)
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

    def restore(
        self,
        model: "TrainingModel",
        average: "WeightAverage | None" = None,
        file: str = "variables.npz",
        moments: str = "none",
    ) -> None:
        """Fills the model's variables, the mean of the weights, and the optimizer.

        Args:
            moments: of the optimizer: ``"all"``, ``"carried"`` (without the count of steps, which a new stage begins
                at 0), or ``"none"``.
        """
        checkpoint = self.checkpoint()
        if checkpoint is None:
            raise FileNotFoundError(f"{self.folder} holds no checkpoint to go on from.")
        with np.load(checkpoint / file) as arrays:
            for variable in model.variables:
                variable.assign(arrays[f"model:{variable.path}"])
            if average:
                average.restore(
                    {name.partition(":")[2]: arrays[name] for name in arrays if name.startswith("average:")}
                )
            if moments != "none":
                model.optimizer.build(model.trainable_variables)
                steps = ("optimizer:iteration", "optimizer:learning_rate") if moments == "carried" else ()
                for variable in model.optimizer.variables:
                    if (name := _moment(variable)) in arrays and name not in steps:
                        variable.assign(arrays[name])

    def log(self, row: dict) -> None:
        """Appends one epoch to ``log.csv``, in place of an earlier row of the same epoch, and to TensorBoard's log."""
        import tensorboard.summary

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


def _moment(variable) -> str:
    """What an optimizer's variable is kept as: its path without the optimizer's name, which counts its kind's
    objects."""
    return f"optimizer:{variable.path.partition('/')[2]}"
