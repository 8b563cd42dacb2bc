"""What ``python -m train.jobs.gpu`` does on the machine: unpacks, trains, judges, and leaves what travels back."""

import argparse
import csv
import json
import pathlib
import time

import keras
import numpy as np
import PIL.Image
import torch

from hf_model.network.weights import read_tensors
from hf_model.pictures.resize import resize
from train.jobs.gpu.feed import Feed
from train.jobs.gpu.loop import Labels, Trainer, fit, write_pieces
from train.jobs.gpu.network import Network
from train.jobs.gpu.packs import decode, read_packs
from train.machine import describe_machine
from train.recipe import load_recipe


def work(args: argparse.Namespace) -> None:
    """A whole training, from packs to ``done``."""
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    recipe, begin = load_recipe(args.recipe), time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    arrays = {name: dict(np.load(args.packs / f"{name}.npz")) for name in ("train", "validation")}
    n = len(arrays["validation"]["gender"])
    chips = decode(read_packs(args.packs))
    rows = arrays["train"]["rows"]
    rows = rows[rows < len(chips) - n]  # where only some of the packs have come: a trial
    # Before anything is on the GPU, which forked processes must not know of.
    feed = Feed(chips[n:], rows, recipe, args.processes)
    network = Network(read_tensors(args.packs / "start.safetensors"), recipe, device)
    trainer = Trainer(network, recipe)
    validation = {
        size: torch.from_numpy(np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips[:n]])).to(device)
        for size in {stage.size for stage in recipe.stages}
    }
    labels, validated = (Labels.of(arrays[name], device) for name in ("train", "validation"))
    print(f"{len(rows)} faces a pass; ready after {time.monotonic() - begin:.1f} s", flush=True)

    def keep(row: dict, is_last: bool) -> None:
        log(row, args.out / "log.csv")
        if is_last or row["epoch"] % 3 == 0:  # should the machine go before the end
            write_pieces(network.arrays(trainer.average), args.out)

    fit(trainer, feed, labels, validation, validated, args.seconds, args.judged, keep)
    feed.close()
    facts = {"recipe": args.recipe, "recipe_text": str(recipe), "seconds": args.seconds, "faces": len(rows)}
    (args.out / "facts.json").write_text(json.dumps(facts | machine(device), indent=2))
    (args.out / "done").touch()


def log(row: dict, path: pathlib.Path) -> None:
    """Prints a row and appends it to ``path``, a CSV file."""
    print(" ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        table = csv.DictWriter(file, list(row), lineterminator="\n")
        if is_new:
            table.writeheader()
        table.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})


def machine(device: str) -> dict:
    """What it ran on, and with which versions."""
    facts = describe_machine()
    if device == "cuda":
        facts["processor"] = torch.cuda.get_device_name()
    versions = {"torch": torch, "keras": keras, "numpy": np, "pillow": PIL}
    return {"machine": facts, "versions": {name: module.__version__ for name, module in versions.items()}}
