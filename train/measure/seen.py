"""What measured faces that were seen after all do to the figures: all sets with and without them.

    python -m train.measure.seen --data UTKFACE [--external SET ...]

``python -m train.curate.find_seen`` listed them in ``seen.json``, for certain weights. Written as the section ``seen`` of the model's
``metrics.json``; of other weights nothing is known, and the section goes.
"""

import argparse
import json
import pathlib

import numpy as np

from hf_model.console import expanded_path
from hf_model.download import write_whole
from hf_model.settings import Settings
from train.measure.compare import figures_of_set, utkface
from train.measure.external import Labels, raw_of
from train.measure.outputs import Raw, RawOutputs

SEEN = pathlib.Path(__file__).with_name("seen.json")


def with_and_without(raw: Raw, labels: Labels, settings: Settings, seen: list[str]) -> dict:
    """``seen`` of ``of`` faces, and the figures of ``all`` and of those ``without``."""
    was = np.isin(labels.file, seen)
    rest = np.flatnonzero(~was)
    told = {"seen": int(was.sum()), "of": len(was), "all": figures_of_set(raw, labels, settings)}
    return told | {"without": figures_of_set(raw.take(rest), labels.take(rest), settings)}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.seen", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--external", type=expanded_path, action="append", default=[], help="a set that is measured on")
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    parser.add_argument("--limit", type=int, help="a trial on some faces, of which nothing is told here")
    parser.add_argument("--limit-changed", type=int, help="taken for `make evaluate`; changes nothing here")
    args = parser.parse_args(argv)
    path = args.model / "metrics.json"
    metrics, listed = (json.loads(file.read_text(encoding="utf-8")) for file in (path, SEEN))
    metrics.pop("seen", None)
    if args.limit:
        print("With --limit nothing is told of faces that were seen.")
    elif listed["weights_sha256"] == metrics["weights_sha256"]:
        outputs = RawOutputs(args.model, args.cache)
        answered = {"utkface": utkface(outputs, args.data, args.cache)}
        answered |= {folder.name: raw_of(outputs, folder) for folder in args.external}
        metrics["seen"] = {
            name: with_and_without(*pair, outputs.settings, list(listed["seen"].get(name, {})))
            for name, pair in answered.items()
        }
        print(json.dumps(metrics["seen"], indent=1))
    else:
        print(f"{SEEN.name} is of other weights: python -m train.curate.find_seen makes it for these.")
    write_whole(path, json.dumps(metrics, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
