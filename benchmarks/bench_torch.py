"""PyTorch's engine beside Keras and the published graph: the same answers, and how fast.

    .venv-transformers/bin/python -m benchmarks.bench_torch [--chips PARQUET_OR_UTKFACE]

Speeds are ratios of medians, in turns, on batches of 8 crops; on a GPU also images/s at batch 64 in bfloat16. Written
to ``benchmarks/torch.json``.
"""

import argparse

import numpy as np
import PIL.Image

from benchmarks.common import in_turns, write_report
from hf_model.network.engines.choice import make_engine
from hf_model.network.engines.torch_engine import best_device
from hf_model.pictures.resize import resize
from hf_model.settings import Settings
from train.measure.raw.open_faces import OpenFaces
from train.release.contents import ROOT

MODEL = ROOT / "hf_model"
CHIPS = 200


def crops_of(data: str | None, size: int) -> np.ndarray:
    """(N, S, S, 3) uint8: UTKFace's first test chips, or without it the faces that may be shown, cut out."""
    if data is None:
        from hf_model import AgeGenderPredictor

        predictor = AgeGenderPredictor.from_pretrained(MODEL, engine="onnx")
        return np.stack([np.asarray(predictor.crops(path)[0][1]) for path in OpenFaces.load().path[:CHIPS]])
    from train.data import load_chips

    chips = load_chips(data, ROOT / "cache")[0]["test"].images[:CHIPS]
    return np.stack([resize(PIL.Image.fromarray(chip), size) for chip in chips])


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_torch", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--data", help="UTKFace: its folder or archive (default: the open faces)")
    parser.add_argument("--repeats", type=int, default=9)
    args = parser.parse_args(argv)
    settings = Settings.load(MODEL)
    crops = crops_of(args.data, settings.input.size)
    run = {name: make_engine(name, "float32").load(settings, MODEL) for name in ("torch", "onnx", "keras")}
    answers = {
        name: [forward(crops[start : start + 8]) for start in range(0, len(crops), 8)] for name, forward in run.items()
    }
    together = {
        name: {key: np.concatenate([part[key] for part in parts]) for key in ("age", "gender")}
        for name, parts in answers.items()
    }
    one, other = together["torch"], together["onnx"]
    seconds = in_turns(
        args.repeats, **{name: (lambda forward=forward: forward(crops[:8])) for name, forward in run.items()}
    )
    figures = {
        "faces": len(crops),
        "from_the_published_graph": {
            "age_years_at_most": round(float(np.abs(one["age"] - other["age"]).max()), 6),
            "other_side_of_half": int(((one["gender"] >= 0.5) != (other["gender"] >= 0.5)).sum()),
        },
        "device": best_device(),
        "by_keras": round(seconds["keras"] / seconds["torch"], 3),
        "by_onnx": round(seconds["onnx"] / seconds["torch"], 3),
    }
    if best_device() == "cuda":
        forward = make_engine("torch", "bfloat16").load(settings, MODEL)
        batch = np.resize(crops, (64, *crops.shape[1:]))
        figures["images_per_second_bfloat16_64"] = round(
            64 / in_turns(args.repeats, gpu=lambda: forward(batch))["gpu"], 1
        )
    write_report("torch", ("torch", "tensorflow", "onnxruntime", "numpy"), figures)


if __name__ == "__main__":
    main()
