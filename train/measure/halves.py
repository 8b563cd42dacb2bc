"""Whether ranges hold by what is answered whichever faces they were fitted on: twenty random halves of choosing and test faces.

    python -m train.measure.halves --model hf_model --data DIR

Each half of the validation and test chips, with their changed copies, fits the model of the error (in fewer rounds than what ships),
the other half is told. Written to the section ``halves`` of ``metrics.json``; run after ``train.measure.evaluate``, whose parts it takes.
"""

import argparse
import json
import pathlib

import numpy as np

from hf_model.console import expanded_path
from hf_model.download import write_whole
from train.data import load_chips
from train.measure.calibrate import CHANGED_CHIPS, fit_calibration, spread_rows
from train.measure.error_model import Faces, covered
from train.measure.outputs import RawOutputs
from train.measure.robustness import changed_rows, load_rows
from train.measure.trust import predicted_levels

HALVES = 20
ROUNDS = 2


def tell_halves(clean: Faces, changed: dict[str, Faces], rows: np.ndarray, halves: int = HALVES) -> dict:
    """Coverage of the halves that were not fitted on: ``all``, and by bin of predicted age; the mean, least and most of all halves.

    Args:
        clean: faces as they are.
        changed: by row, copies of the clean faces ``rows`` (M,).
    """
    random = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(halves):
        fitted = random.permutation(len(clean.age)) < len(clean.age) // 2
        copies = np.flatnonzero(fitted[rows])
        calibration = fit_calibration(
            clean.take(np.flatnonzero(fitted)), [faces.take(copies) for faces in changed.values()], ROUNDS
        )
        told = clean.take(np.flatnonzero(~fitted))
        inside = covered(told, calibration)
        for name, mask in [("all", np.ones(len(inside), bool)), *predicted_levels(told.age)]:
            found.setdefault(name, []).append(float(inside[mask].mean()))
    return {
        name: {"mean": round(float(np.mean(shares)), 4), "low": round(min(shares), 4), "high": round(max(shares), 4)}
        for name, shares in found.items()
    } | {"halves": halves}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.halves", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--limit", type=int, help="at most so many chips of a split, as for train.measure.evaluate")
    parser.add_argument("--limit-changed", type=int, help="as for train.measure.evaluate")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    args = parser.parse_args(argv)
    outputs = RawOutputs(args.model, args.cache)
    splits = load_chips(args.data, args.cache)[0]
    parts, rows, changed = [], [], dict[str, list[Faces]]()
    start = 0
    for split in ("validation", "test"):
        chips = splits[split]
        if args.limit:
            seed = 1 if split == "validation" else 0
            chips = chips.take(np.sort(np.random.default_rng(seed).permutation(len(chips))[: args.limit]))
        some = spread_rows(len(chips), args.limit_changed or CHANGED_CHIPS)
        if split == "test":
            some = changed_rows(len(chips), args.limit_changed)
        parts.append(Faces.of(outputs.chips(split, chips.images), chips))
        rows.append(start + some)
        start += len(chips)
        copied = chips.take(some)
        for name, change in load_rows().items():
            raw = outputs.chips(f"{split}, {name}", copied.images, change)
            changed.setdefault(name, []).append(Faces.of(raw, copied))
    section = tell_halves(
        Faces.join(parts), {name: Faces.join(of) for name, of in changed.items()}, np.concatenate(rows)
    )
    path = args.model / "metrics.json"
    metrics = json.loads(path.read_text(encoding="utf-8")) | {"halves": section}
    write_whole(path, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(section, indent=1))


if __name__ == "__main__":
    main()
