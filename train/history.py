"""How the shipped weights were trained: the run's own ``run.json`` and ``log.csv``, kept by ``train.export``."""

import csv
import itertools
import json
import os
import pathlib
import shutil

SHIPPED = pathlib.Path(__file__).with_name("shipped")
FILES = ("run.json", "log.csv")


def keep_history(run: pathlib.Path, folder: str | os.PathLike = SHIPPED) -> None:
    """Copies what tells of a run, and none of its weights."""
    pathlib.Path(folder).mkdir(exist_ok=True)
    for name in FILES:
        shutil.copyfile(run / name, pathlib.Path(folder) / name)


def read_history(folder: str | os.PathLike = SHIPPED) -> dict:
    """``{"run": run.json, "stages": [...], "hours": of the epochs that were timed}``.

    A stage is ``{"name", "size", "epochs", "age_mae", "gender_accuracy", "gender_auc"}``, its validation
    figures those after its last epoch.
    """
    folder = pathlib.Path(folder)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stages = []
    for name, epochs in itertools.groupby(rows, key=lambda row: row["stage"]):
        *_, last = members = list(epochs)
        figures = {key: float(last[f"val_{key}"]) for key in ("age_mae", "gender_accuracy", "gender_auc")}
        stages.append({"name": name, "size": int(last["size"]), "epochs": len(members), **figures})
    timed = [float(row["seconds"]) for row in rows if row.get("seconds")]
    return {"run": run, "stages": stages, "hours": sum(timed) / 3600, "timed": len(timed), "epochs": len(rows)}
