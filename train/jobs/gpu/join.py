"""Makes a run folder of what came back from a GPU, which ``python -m train --init-from`` begins from, history and all.

python -m train.jobs.gpu.join RETURNED --packs PACKS --before RUN --out runs/gpu
"""

import argparse
import dataclasses
import json
import pathlib
import shutil

import safetensors.numpy

import hf_model
from hf_model.console import expanded_path
from hf_model.download import file_sha256
from hf_model.settings import Settings
from train.data import AGES
from train.history import BEFORE, is_run, keep_history
from train.recipe import load_recipe


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.jobs.gpu.join", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("returned", type=expanded_path, help="what the GPU's --out held")
    parser.add_argument("--packs", type=expanded_path, required=True, help="what it was trained on")
    parser.add_argument("--before", type=expanded_path, help="run folder of the weights that it began from")
    parser.add_argument("--out", type=expanded_path, required=True, help="run folder to write")
    args = parser.parse_args(argv)
    if not (args.returned / "done").is_file():
        parser.error(f"{args.returned} is not of a training that came to its end: there is no file done")
    if args.before and not is_run(args.before):
        parser.error(f"--before {args.before} holds no run: run.json and log.csv are wanted")
    if args.out.exists():
        parser.error(f"--out {args.out} is there already: name a new folder")
    args.out.mkdir(parents=True)
    tensors: dict = {}
    for piece in sorted(args.returned.glob("weights*.safetensors")):
        tensors |= safetensors.numpy.load_file(piece)
    safetensors.numpy.save_file(tensors, args.out / "model.safetensors")
    shutil.copyfile(args.returned / "log.csv", args.out / "log.csv")
    description = describe(
        json.loads((args.returned / "facts.json").read_text(encoding="utf-8")),
        json.loads((args.packs / "facts.json").read_text(encoding="utf-8")),
        file_sha256(args.packs / "start.safetensors"),
    )
    (args.out / "run.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    if args.before:
        keep_history(args.before, args.out / BEFORE)
    print(f"Wrote {args.out / 'model.safetensors'}")


def describe(trained: dict, packed: dict, start: str) -> dict:
    """``run.json`` as ``python -m train`` writes it, from the GPU's facts, the packs', and the sha256 of the weights
    before."""
    recipe = load_recipe(trained["recipe"])
    shipped = Settings.load(pathlib.Path(hf_model.__file__).parent)
    heads = dataclasses.asdict(dataclasses.replace(shipped.heads, age_bins=len(AGES)))
    return {
        "recipe": recipe.name,
        "recipe_text": trained["recipe_text"],
        "seconds": trained["seconds"],
        "seed": recipe.seed,
        "heads": heads,
        "data_fingerprint": packed["data_fingerprint"],
        "n": packed["n"],
        "init_from": f"start.safetensors, sha256 {start}",
        "first_stage": None,
        "backbone_weights": "none",
        "git_commit": packed["git_commit"],
        "trainer": "a plain PyTorch loop (train/jobs/gpu)",
        "backend": "torch",
        "versions": trained["versions"],
        "machine": trained["machine"],
    }


if __name__ == "__main__":
    main()
