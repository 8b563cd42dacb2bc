"""What ``python -m train.jobs.gpu`` does on the machine: unpacks, trains, judges, and leaves what travels back."""

import argparse
import csv
import json
import pathlib
import shutil
import time

import keras
import numpy as np
import PIL.Image
import torch

from hf_model.network.torch_network import load_network
from hf_model.pictures.resize import resize
from hf_model.settings import Heads
from train.history import BEFORE
from train.jobs.gpu.feed import Feed
from train.jobs.gpu.loop import Labels, Trainer, fit, write_weights
from train.jobs.gpu.packs import decode, read_packs
from train.machine import describe_machine
from train.recipe import Recipe, load_recipe


def work(args: argparse.Namespace) -> None:
    """A whole training, from packs to ``done``."""
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    recipe, begin = load_recipe(args.recipe), time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    if (args.packs / BEFORE).is_dir():
        shutil.copytree(args.packs / BEFORE, args.out / BEFORE)
    arrays = {name: dict(np.load(args.packs / f"{name}.npz")) for name in ("train", "validation")}
    n = len(arrays["validation"]["gender"])
    chips = decode(read_packs(args.packs))
    rows = arrays["train"]["rows"]
    rows = rows[rows < len(chips) - n]  # where only some of the packs have come: a trial
    # Before anything is on the GPU, which forked processes must not know of.
    feed = Feed(chips[n:], rows, recipe, args.processes)
    packed = json.loads((args.packs / "facts.json").read_text(encoding="utf-8"))
    heads, start = Heads(**packed["heads"]), args.packs / "start.safetensors"
    network = load_network(start, recipe.network, heads, recipe.dropout).to(device, memory_format=torch.channels_last)
    trainer = Trainer(network, recipe, device)
    validation = {
        size: torch.from_numpy(np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips[:n]])).to(device)
        for size in {stage.size for stage in recipe.stages}
    }
    labels, validated = (Labels.of(arrays[name], device) for name in ("train", "validation"))
    print(f"{len(rows)} faces a pass; ready after {time.monotonic() - begin:.1f} s", flush=True)

    def keep(row: dict, is_last: bool) -> None:
        log(row, args.out / "log.csv")
        if is_last or row["epoch"] % 3 == 0:  # should the machine go before the end
            write_weights(trainer.average, args.out)

    fit(trainer, feed, labels, validation, validated, args.seconds, args.judged, keep)
    feed.close()
    description = describe(recipe, packed, args.seconds) | machine(device)
    (args.out / "run.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    (args.out / "done").touch()


def describe(recipe: Recipe, packed: dict, seconds: float) -> dict:
    """``run.json`` as ``python -m train`` writes it, of what the packs say of themselves."""
    return {
        "recipe": recipe.name,
        "recipe_text": str(recipe),
        "seconds": seconds,
        "seed": recipe.seed,
        "network": recipe.network,
        **packed,
        "first_stage": None,
        "backbone_weights": "none",
        "trainer": "a plain PyTorch loop (train/jobs/gpu)",
        "backend": "torch",
    }


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
