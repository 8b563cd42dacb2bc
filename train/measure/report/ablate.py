"""Short trainings that differ in one thing each: what a choice of the recipe is worth.

``python -m train.measure ablate``: the variants are those of ``ablations.toml``. All start from the same weights and
seed, on the same chips. Figures go to ``ablations.json`` as each variant ends; a variant that stands there with the
same recipe is not trained again, and one that was killed goes on from its last whole epoch.
"""

import csv
import dataclasses
import hashlib
import json
import pathlib
import shutil
import tomllib

import numpy as np

from hf_model.download import write_whole
from hf_model.settings import Heads
from train.measure.context import Context
from train.recipe import Recipe, Stage, load_recipe

VARIANTS = pathlib.Path(__file__).with_name("ablations.toml")
RESULTS = pathlib.Path(__file__).with_name("ablations.json")
KINDS = {"name", "recipe", "augmentation", "last_stage"}


@dataclasses.dataclass(frozen=True)
class Ablations:
    """``chips``: how many training chips each variant gets; ``variants``: recipes by name, the unchanged one first."""

    chips: int
    variants: dict[str, Recipe]


def load_ablations(path: pathlib.Path = VARIANTS) -> Ablations:
    """Reads the variants.

    Raises:
        ValueError: a variant changes something that is not there.
    """
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    stages = tuple(Stage(**stage) for stage in values["stages"])
    base = dataclasses.replace(
        load_recipe(values["recipe"]), stages=stages, validation_chips=values["validation_chips"]
    )
    variants = {}
    for changes in values["variants"]:
        if changes.keys() - KINDS:
            raise ValueError(f"{path}: {changes['name']!r} changes {changes.keys() - KINDS}; known are {KINDS}.")
        try:
            variants[changes["name"]] = _changed(base, changes)
        except TypeError as error:
            raise ValueError(f"{path}: {changes['name']!r}: {error}") from error
    return Ablations(values["chips"], variants)


def _changed(base: Recipe, changes: dict) -> Recipe:
    *before, last = base.stages
    return dataclasses.replace(
        base,
        stages=(*before, dataclasses.replace(last, **changes.get("last_stage", {}))),
        augmentation=dataclasses.replace(base.augmentation, **changes.get("augmentation", {})),
        **changes.get("recipe", {}),
    )


def train_variant(recipe: Recipe, chips: dict, heads: Heads, backbone_weights: str | None, runs: pathlib.Path) -> dict:
    """Trains one variant, and gives the validation figures after its last epoch.

    Args:
        recipe: the variant.
        chips: :class:`train.data.Chips` by split.
        heads: of the network.
        backbone_weights: as :func:`hf_model.network.architecture.build_model` takes them.
        runs: where its run folder stands until it is done.
    """
    from train.fit import fit
    from train.model import new_model
    from train.run import Run

    text = f"{recipe} {len(chips['train'])} {backbone_weights}"
    folder = runs / hashlib.sha256(text.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    fit(new_model(recipe, heads, backbone_weights), chips, run, folder / "activations")
    with run.log_path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {key: float(rows[-1][f"val_{key}"]) for key in ("age_mae", "gender_accuracy", "gender_auc")}
    shutil.rmtree(folder)
    return figures | {"seconds": round(sum(float(row["seconds"]) for row in rows))}


def finished(out: pathlib.Path, about: dict, variants: dict[str, Recipe]) -> dict[str, dict]:
    """The results in a file that hold for these variants: the same recipe, chips, backend and machine."""
    if not out.is_file():
        return {}
    before = json.loads(out.read_text(encoding="utf-8"))
    results = before.pop("variants")
    if before != about:
        return {}
    return {
        name: results[name]
        for name, recipe in variants.items()
        if results.get(name, {}).get("recipe_text") == str(recipe)
    }


def run(context: Context) -> None:
    """Trains what is not trained yet."""
    ablate(context)


def ablate(
    context: Context,
    variants: pathlib.Path = VARIANTS,
    out: pathlib.Path = RESULTS,
    runs: pathlib.Path = pathlib.Path("runs/ablations"),
) -> None:
    """The variants of a file, their figures into another.

    Args:
        context: its data and ``backbone_weights``.
        variants: see :func:`load_ablations`.
        out: written as each variant ends.
        runs: where runs stand until they are done.
    """
    import keras

    from train.data import AGES, load_chips
    from train.machine import describe_machine

    ablations = load_ablations(variants)
    heads = dataclasses.replace(context.settings.heads, age_bins=len(AGES))
    first = next(iter(ablations.variants.values()))
    chips, fingerprint = load_chips(context.data, context.cache, first.label_conflicts)
    rows = np.random.default_rng(0).permutation(len(chips["train"]))[: ablations.chips]
    chips["train"] = chips["train"].take(np.sort(rows))
    about = {
        "chips": len(chips["train"]),
        "validation_chips": min(first.validation_chips, len(chips["validation"])),
        "data_fingerprint": fingerprint,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "machine": describe_machine(),
    }
    results = finished(out, about, ablations.variants)
    for name, recipe in ablations.variants.items():
        if name not in results:
            print(f"\n=== {name}", flush=True)
            figures = train_variant(recipe, chips, heads, context.backbone_weights, runs)
            results[name] = {"size": recipe.stages[-1].size, **figures, "recipe_text": str(recipe)}
            ordered = {name: results[name] for name in ablations.variants if name in results}
            write_whole(out, json.dumps(about | {"variants": ordered}, indent=1, ensure_ascii=False) + "\n")
    print(f"Wrote {out}")
