"""The two files that measuring writes: constants into ``config.json``, figures into ``metrics.json``.

Nothing else writes ``metrics.json``.
"""

import dataclasses
import datetime
import hashlib
import json
import pathlib

import safetensors

from hf_model.download import CONFIG_NAME, WEIGHTS_NAME, file_sha256, write_whole
from hf_model.settings import as_json
from train.config import update_config
from train.measure.context import Context


def write_constants(context: Context, sections: dict) -> None:
    """Puts sections into the model's ``config.json``, with a calibration also the weights that it is of."""
    if "calibration" in sections:
        sections = sections | {"calibrated_for": file_sha256(context.model / WEIGHTS_NAME)}
    update_config(context.model, sections)
    print(f"Wrote {', '.join(sections)} to {context.model / CONFIG_NAME}", flush=True)


def check_calibration(context: Context) -> None:
    """Checks that the calibration was fitted for these weights.

    Raises:
        ValueError: it was fitted for others, or it is not known for which.
    """
    settings, weights = context.settings, file_sha256(context.model / WEIGHTS_NAME)
    if settings.calibration and settings.calibrated_for != weights:
        raise ValueError(
            f"{context.model}: the calibration is of {(settings.calibrated_for or 'unknown')[:16]}, the weights are "
            f"{weights[:16]}. First run python -m train.measure calibrate."
        )


def about(context: Context) -> dict:
    """The weights, settings and data that the figures belong to."""
    weights = context.model / WEIGHTS_NAME
    return {
        "weights_sha256": file_sha256(weights),
        "settings_sha256": settings_sha256(context),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": recipe_of(weights),
        "data": {
            "fingerprint": context.fingerprints,
            "splits": "80/10/10 by salted hash of the duplicate group",
            "n": {name: len(split) for name, split in context.all_chips.items()},
        },
        "split": context.split,
        "engine": context.outputs.predictor.engine,
    }


def write_figures(context: Context, sections: dict, is_all: bool) -> None:
    """Puts sections into the model's ``metrics.json``.

    Args:
        context: of the command.
        sections: by name.
        is_all: whether every step of the report ran, so that what the file held before goes.

    Raises:
        ValueError: the file holds figures of other weights, settings or another split, which the sections would stand
            beside.
    """
    path, now = context.model / "metrics.json", about(context)
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "engines" in sections and before.get("weights_sha256") == now["weights_sha256"]:
        # This processor may lack what rows of others were measured with.
        sections["engines"] = before.get("engines", {}) | sections["engines"]
    if not is_all:
        differ = [key for key in ("weights_sha256", "settings_sha256", "split") if before.get(key) != now[key]]
        if differ:
            raise ValueError(
                f"{path}: its {', '.join(differ)} differ from the model's. Run python -m train.measure report, "
                "which writes the file anew."
            )
    write_whole(path, json.dumps((now if is_all else before | now) | sections, indent=1, ensure_ascii=False) + "\n")
    print(f"Wrote {', '.join(sections)} to {path}", flush=True)


def settings_sha256(context: Context) -> str:
    """Of all settings but the version's number, on which no answer depends."""
    settings = dataclasses.replace(context.settings, model_version="")
    return hashlib.sha256(json.dumps(as_json(settings)).encode()).hexdigest()


def recipe_of(weights: pathlib.Path) -> str:
    """The recipe that a weights file says it was made by."""
    with safetensors.safe_open(weights, framework="numpy") as file:
        return (file.metadata() or {}).get("recipe", "unknown")
