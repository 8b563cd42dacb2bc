"""Trains on a GPU machine that is lent for minutes: all layers by a recipe, in plain PyTorch, for so many seconds.

    python -m train.jobs.gpu.packs --data UTKFACE --also FAIRFACE ... --init-from WEIGHTS --out PACKS     where the data is
    python -m train.jobs.gpu --packs PACKS --seconds 600 --out RUN                                        on the machine
    python -m train.jobs.gpu.join RUN                                                                   here again

The network's variables, losses and changes of pictures are those of ``python -m train``, which is then begun from the result.
"""

import argparse
import csv
import json
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import PIL.Image
import safetensors.numpy
import torch

from hf_model.pictures.resize import resize
from train.jobs.gpu.feed import Feed
from train.jobs.gpu.fit import Labels, Trainer, fit, write_pieces
from train.jobs.gpu.network import Network
from train.jobs.gpu.packs import decode, read_packs
from train.recipe import load_recipe
from train.run import describe_machine


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.jobs.gpu", description="Trains on a GPU for so many seconds.")
    parser.add_argument("--packs", type=pathlib.Path, required=True)
    parser.add_argument("--recipe", default="gpu")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rows", type=int, default=10, help="how often it is judged")
    parser.add_argument("--workers", type=int, default=max((os.cpu_count() or 2) - 1, 1))
    parser.add_argument("--batch", type=int, help="instead of the recipe's")
    parser.add_argument("--few", type=int, help="train on so many pictures: a trial")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args(argv)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    recipe, begin = load_recipe(args.recipe), time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    arrays = {name: dict(np.load(args.packs / f"{name}.npz")) for name in ("train", "validation")}
    n = len(arrays["validation"]["gender"])
    chips = decode(read_packs(args.packs))
    here = len(chips) - n  # fewer than all where only some packs have come yet: a trial
    rows = arrays["train"]["rows"]
    rows = rows[rows < min(args.few or here, here)]
    print(f"{len(chips)} pictures decoded in {time.monotonic() - begin:.1f} s; {len(rows)} a pass", flush=True)
    feed = Feed(chips[n:], rows, recipe.augmentation, args.batch or recipe.batch_size, recipe.stages[0].size, args.workers, recipe.seed)
    variables = safetensors.numpy.load_file(args.packs / "start.safetensors")
    network = Network(variables, args.device, recipe.statistics_rate, recipe.dropout)
    trainer = Trainer(network, recipe)
    validation = {
        size: torch.from_numpy(np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips[:n]])).to(args.device)
        for size in {stage.size for stage in recipe.stages}
    }
    labels, validated = (Labels.of(arrays[name], args.device) for name in ("train", "validation"))
    print(f"ready after {time.monotonic() - begin:.1f} s, {args.workers} processes", flush=True)

    def keep(row: dict, is_last: bool) -> None:
        print(" ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
        log = args.out / "log.csv"
        is_new = not log.exists()
        with log.open("a", newline="") as file:
            table = csv.DictWriter(file, list(row), lineterminator="\n")
            if is_new:
                table.writeheader()
            table.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
        if is_last or row["epoch"] % 3 == 0:
            write_pieces(network.arrays(trainer.average), args.out)

    fit(trainer, feed, labels, validation, validated, args.seconds, args.rows, keep)
    feed.close()
    machine = describe_machine()
    if args.device == "cuda":
        machine["processor"] = torch.cuda.get_device_name()
    versions = {"torch": torch.__version__, "keras": keras.__version__, "numpy": np.__version__, "pillow": PIL.__version__}
    facts = {"recipe": args.recipe, "recipe_text": str(recipe), "seconds": args.seconds, "faces": len(rows)}
    facts |= {"batch_size": feed.batch_size, "machine": machine, "versions": versions}
    (args.out / "facts.json").write_text(json.dumps(facts, indent=2))
    (args.out / "done").touch()


if __name__ == "__main__":
    main()
