"""How the shipped weights were trained: each run's own ``run.json`` and ``log.csv``, kept by ``train.export``.

A run that went on from another's weights, or from the shipped ones, has their history in its ``before/``.
"""

import csv
import itertools
import json
import os
import pathlib
import shutil

from train.files import file_sha256

SHIPPED = pathlib.Path(__file__).with_name("shipped")
FILES = ("run.json", "log.csv")
BEFORE = "before"


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
    "epochs": of how many}``. A stage is ``{"name", "size", "epochs", "age_mae", "gender_accuracy",
    "gender_auc"}``, its validation figures those after its last epoch.
    """
    folder = pathlib.Path(folder)
    before = read_history(folder / BEFORE) if (folder / BEFORE).is_dir() else []
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stages = []
    for name, epochs in itertools.groupby(rows, key=lambda row: row["stage"]):
        *_, last = members = list(epochs)
        figures = {key: float(last[f"val_{key}"]) for key in ("age_mae", "gender_accuracy", "gender_auc")}
        stages.append({"name": name, "size": int(last["size"]), "epochs": len(members), **figures})
    timed = [float(row["seconds"]) for row in rows if row.get("seconds")]
    hours = sum(timed) / 3600
    return [*before, {"run": run, "stages": stages, "hours": hours, "timed": len(timed), "epochs": len(rows)}]
