"""The constants that the static page's JavaScript computes with, all of them from the Python code and the model
folder."""

import dataclasses
import inspect
import json
import pathlib

import numpy as np

from hf_model import calibration, tracking
from hf_model.faces import detector, face, quality
from hf_model.network import familiarity, preprocessing
from hf_model.network.layout import network_of
from hf_model.network.mtcnn import cascade
from hf_model.pictures import alignment
from hf_model.settings import Settings, as_json

FACTORS = ("age", "race", "gender")
LARGEST_BYTES = 20_000_000  # of a photo's file
# A WebAssembly module of one SIMD instruction, which a browser without SIMD refuses.
SIMD_PROBE = pathlib.Path(__file__).with_name("simd_probe.wasm")


def constants_of(folder: pathlib.Path, words: dict) -> dict:
    """Every constant that the JavaScript computes or speaks with, from the Python code and the model folder."""
    settings, metrics = Settings.load(folder), json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    known = familiarity.Familiarity.load(folder)
    if known is None or settings.calibration is None:
        raise ValueError(f"{folder} has no familiarity or calibration: run make evaluate first.")
    limits = {
        name: one.default
        for name, one in inspect.signature(cascade.Cascade.detect_faces).parameters.items()
        if name.startswith("threshold_")
    }
    wanted = ("detection", "crop", "input", "decision", "quality", "calibration", "heads")
    return {
        "version": settings.model_version,
        "config": {name: as_json(getattr(settings, name)) for name in wanted},
        "preprocessing": dataclasses.asdict(preprocessing.PREPROCESSING[network_of(settings.network).preprocessing]),
        "cascade": {
            "smallest_side": cascade.SMALLEST_SIDE,
            "stride": cascade.STRIDE,
            "scale_factor": cascade.SCALE_FACTOR,
            "patches_at_once": cascade.PATCHES_AT_ONCE,
        },
        "detector": {
            "largest_safe_face": detector.LARGEST_SAFE_FACE,
            "landmark_input": detector.LANDMARK_INPUT,
            "mirrored": detector.MIRRORED,
            "faces_at_once": detector.FACES_AT_ONCE,
            "thresholds": limits,
        },
        "alignment": {"blocks_from": alignment.BLOCKS_FROM, "fineness": alignment.FINENESS, "turns": alignment.TURNS},
        "face": {"distances": face.DISTANCES, "points": face.POINTS},
        "quality": {
            "seen_at": quality.SEEN_AT,
            "middle": quality.MIDDLE,
            "around": quality.AROUND,
            "block": quality.BLOCK,
            "texture": quality.TEXTURE,
            "daylight_skin": quality.DAYLIGHT_SKIN,
            "measures": quality.MEASURES,
            "renamed": quality.RENAMED_MEASURES,
            "beginnings": quality.BEGINNINGS,
            "unsigned": quality.UNSIGNED,
            "told_from": quality.TOLD_FROM,
            "sentences": quality.SENTENCES,
        },
        "calibration": {"tail": calibration.TAIL, "oldest": calibration.OLDEST},
        "familiarity": {
            "mean": known.mean.size,
            "components": known.components.size,
            "distances": known.distances.tolist(),
            "shares": np.exp(known.shares).tolist(),
            "fall": known.fall.tolist(),
            "maps": familiarity.MAPS,
            "smallest": familiarity.SMALLEST_SHARE,
        },
        "tracking": {
            "least_overlap": tracking.LEAST_OVERLAP,
            "least_shared": tracking.LEAST_SHARED,
            "memory": tracking.MEMORY,
            "frames_missed": tracking.FRAMES_MISSED,
        },
        "metrics": _shown(metrics),
        "page": {
            "words": {name: text for name, text in words.items() if name != "browser"} | words["browser"],
            "largest_bytes": LARGEST_BYTES,
            "largest_pixels": settings.input.max_pixels,
            "camera": {"width": 640, "pause": 30},
            "simd_probe": list(SIMD_PROBE.read_bytes()),
        },
    }


def _shown(metrics: dict) -> dict:
    """The figures that the page tells."""
    levels = []
    for level, figures in metrics["by_predicted_age"].items():
        low, high = map(int, level.split("-"))
        name = f"{low} to {high}" if high < calibration.OLDEST else f"{low} and older"
        levels.append(
            {
                "low": low,
                "high": high,
                "name": name,
                "age": figures["age_mae"]["value"],
                "gender": figures["gender_accuracy"]["value"],
                "held": figures["age_interval_coverage"]["value"],
            }
        )
    groups = {
        factor: [
            {
                "name": level,
                "n": one["age_mae"]["n"],
                "age": one["age_mae"]["value"],
                "wrong": 1 - one["gender_accuracy"]["value"],
            }
            for level, one in metrics["groups"][factor].items()
        ]
        for factor in FACTORS
    }
    return {"by_predicted_age": levels, "groups": groups, "median_width": metrics["age_interval_width"]["median"]}
