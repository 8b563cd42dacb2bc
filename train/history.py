"""The runs that made weights, oldest first.

The history of the shipped weights lies in ``train/shipped/``: a folder a run, ``01-RECIPE`` and so on, each with its
``run.json`` and ``log.csv``. A run that went on from another's weights, or from the shipped ones, has the runs before
it in its ``before/``.
"""

import csv
import itertools
import json
import os
import pathlib
import re
import shutil

from hf_model.download import file_sha256

SHIPPED = pathlib.Path(__file__).with_name("shipped")
FILES = ("run.json", "log.csv")
BEFORE = "before"


def runs_of(folder: str | os.PathLike) -> list[pathlib.Path]:
    """The folders of the runs of a history, or of a run and those before it, oldest first."""
    folder = pathlib.Path(folder)
    if not is_run(folder):
        return sorted(path for path in folder.glob("[0-9]*-*") if is_run(path))
    return [*runs_of(folder / BEFORE), folder]


def is_run(folder: pathlib.Path) -> bool:
    """Whether a folder tells of a run."""
    return all((folder / name).is_file() for name in FILES)


def keep_history(run: str | os.PathLike, folder: str | os.PathLike = SHIPPED) -> None:
    """Copies what tells of a run and of those before it, and none of its weights, into a history written anew."""
    folder = pathlib.Path(folder)
    beside = folder.with_name(folder.name + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    for number, source in enumerate(runs_of(run), start=1):
        recipe = json.loads((source / "run.json").read_text(encoding="utf-8"))["recipe"]
        (beside / f"{number:02d}-{recipe}").mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(source / name, beside / f"{number:02d}-{recipe}" / name)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(beside, folder)


def remember_before(run: pathlib.Path, init_from: str, shipped_weights: pathlib.Path, folder=SHIPPED) -> None:
    """Puts the history of the weights that a run begins from into it: of another run's, or of the shipped ones."""
    source = pathlib.Path(init_from).parent
    if not is_run(source):
        if not shipped_weights.is_file() or file_sha256(init_from) != file_sha256(shipped_weights):
            return
        source = pathlib.Path(folder)
    keep_history(source, run / BEFORE)


def read_history(folder: str | os.PathLike = SHIPPED) -> list[dict]:
    """The runs that made the weights, the first one first.

    Each is ``{"run": run.json, "stages": [...], "hours": of the epochs that were timed, "timed": how many,
    "epochs": of how many}``. A stage is ``{"name", "size", "passes", "age_mae", "gender_accuracy",
    "gender_auc"}``: how often it went through the training faces, and its validation figures after its last epoch, None
    where they were not kept. An epoch is a pass, or a part of one where the recipe says so.
    """
    return [_read_run(run) for run in runs_of(folder)]


def _read_run(folder: pathlib.Path) -> dict:
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
    return {"run": run, "stages": stages, "hours": hours, "timed": len(timed), "epochs": len(rows)}


def recipe_values(run: dict, names: tuple[str, ...]) -> dict[str, float]:
    """Numbers of the recipe of a run as it was then, from its ``run.json``: the recipe's file may have changed
    since."""
    found = {name: re.search(rf"\b{name}=([\d.e-]+)", run["recipe_text"]) for name in names}
    return {name: float(match[1]) for name, match in found.items() if match}
