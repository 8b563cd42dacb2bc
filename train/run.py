"""The run folder: checkpoints, the log and its curves, what the run was made on, and the runs before it.

The history of the shipped weights, each run's ``run.json`` and ``log.csv``, lies in ``train/shipped/``; a run
that went on from another's weights, or from the shipped ones, has their history in its ``before/``.
"""

import csv
import dataclasses
import io
import itertools
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np

from hf_model.download import file_sha256, write_whole

if TYPE_CHECKING:
    from train.average import WeightAverage
    from train.model import TrainingModel

SHIPPED = pathlib.Path(__file__).with_name("shipped")
FILES = ("run.json", "log.csv")
BEFORE = "before"
# What decides how fast a processor multiplies, and in which type, where several go by one name.
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


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
    """What an optimizer's variable is kept as: its path without the optimizer's name, which counts its kind's objects."""
    return f"optimizer:{variable.path.partition('/')[2]}"


def plot_log(log: pathlib.Path, path: pathlib.Path) -> None:
    """The curves of a run: age error, gender accuracy and AUC by epoch, training and validation, stages marked.

    Args:
        log: ``log.csv`` of a run folder.
        path: the PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figure, panels = plt.subplots(1, 3, figsize=(13, 4))
    names = (("age_mae", "age error, years"), ("gender_accuracy", "gender accuracy"), ("gender_auc", "gender AUC"))
    epochs = range(1, len(rows) + 1)
    for axes, (name, title) in zip(panels, names, strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            axes.plot(epochs, [float(row[prefix + name]) for row in rows], marker="o", label=label)
        for number, (before, after) in enumerate(itertools.pairwise(rows), start=1):
            if before["stage"] != after["stage"]:
                axes.axvline(number + 0.5, color="grey", linewidth=1)
        axes.set(xlabel="epoch", title=title)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def remember_before(run: pathlib.Path, init_from: str, shipped_weights: pathlib.Path, folder=SHIPPED) -> None:
    """Puts the history of the weights that a run begins from into it: of another run's, or of the shipped ones."""
    source = pathlib.Path(init_from).parent
    if not all((source / name).is_file() for name in FILES):
        if not shipped_weights.is_file() or file_sha256(init_from) != file_sha256(shipped_weights):
            return
        source = pathlib.Path(folder)
    keep_history(source, run / BEFORE)


def keep_history(run: pathlib.Path, folder: str | os.PathLike = SHIPPED) -> None:
    """Copies what tells of a run and of those before it, and none of its weights."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in FILES:
        shutil.copyfile(run / name, folder / name)
    if (run / BEFORE).is_dir():
        shutil.copytree(run / BEFORE, folder / BEFORE)


def read_history(folder: str | os.PathLike = SHIPPED) -> list[dict]:
    """The runs that made the weights, the first one first.

    Each is ``{"run": run.json, "stages": [...], "hours": of the epochs that were timed, "timed": how many,
    "epochs": of how many}``. A stage is ``{"name", "size", "passes", "age_mae", "gender_accuracy",
    "gender_auc"}``: how often it went through the training faces, and its validation figures after its last epoch, None where they
    were not kept. An epoch is a pass, or a part of one where the recipe says so.
    """
    folder = pathlib.Path(folder)
    before = read_history(folder / BEFORE) if (folder / BEFORE).is_dir() else []
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stages = []
    for name, epochs in itertools.groupby(rows, key=lambda row: row["stage"]):
        *_, last = members = list(epochs)
        told = {key: last.get(f"val_{key}") for key in ("age_mae", "gender_accuracy", "gender_auc")}
        figures = {key: float(value) if value else None for key, value in told.items()}
        parts = re.search(rf"name='{re.escape(name)}'.*?parts=(\d+)", run.get("recipe_text", ""))
        passes = sum(float(row.get("passes") or 1 / int(parts[1] if parts else 1)) for row in members)
        stages.append({"name": name, "size": int(last["size"]), "passes": passes, **figures})
    timed = [float(row["seconds"]) for row in rows if row.get("seconds")]
    hours = sum(timed) / 3600
    return [*before, {"run": run, "stages": stages, "hours": hours, "timed": len(timed), "epochs": len(rows)}]


def recipe_values(run: dict, names: tuple[str, ...]) -> dict[str, float]:
    """Numbers of the recipe of a run as it was then, from its ``run.json``: the recipe's file may have changed since."""
    found = {name: re.search(rf"\b{name}=([\d.e-]+)", run["recipe_text"]) for name in names}
    return {name: float(match[1]) for name, match in found.items() if match}


def git_commit() -> str | None:
    """The commit of the code that runs, as ``git describe`` names it; None where there is no git."""
    try:
        told = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return told.stdout.strip() or None


def describe_machine() -> dict:
    """``{"processor", "cores", "instructions", "python"}`` of this machine, as Linux names them.

    Elsewhere the processor is what Python knows of it, and ``instructions`` is empty.
    """
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    return {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in facts.get("flags", "").split()],
        "python": platform.python_version(),
    }
