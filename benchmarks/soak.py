"""Memory over many calls of differing sizes: `python -m benchmarks.soak [--calls 2000]`.

Exits 1 if the resident memory grows by more than 50 MB after the first fifth of the calls, in which
caches and pools fill. Written to ``benchmarks/soak.json``.
"""

import argparse
import os
import pathlib
import sys

import numpy as np
import PIL.Image

from benchmarks.bench_predictor import MODEL, astronaut
from benchmarks.common import write_report

LIMIT_MB = 50


def resident_mb() -> float:
    """Resident memory of this process (Linux)."""
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    args = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import datasets.utils

    from hf_model import AgeGenderPredictor

    predictor = AgeGenderPredictor.from_pretrained(MODEL)
    photo = astronaut()
    random = np.random.default_rng(0)
    memory = []
    for call in datasets.utils.tqdm(range(args.calls), desc="Soak", unit=" calls"):
        width, height = random.integers(40, 500, 2)
        picture = photo.resize((int(width), int(height)), PIL.Image.Resampling.BILINEAR)
        predictor(picture, faces=("most_confident", "all", "none")[call % 3])
        if (call + 1) % max(args.calls // 20, 1) == 0:
            memory.append(round(resident_mb(), 1))
    grown = memory[-1] - memory[len(memory) // 5]
    figures = {"calls": args.calls, "resident_mb": memory, "grown_mb": round(grown, 1), "limit_mb": LIMIT_MB}
    write_report("soak", ("tensorflow", "keras", "mtcnn"), figures)
    if grown > LIMIT_MB:
        sys.exit(f"Memory grew by {grown:.0f} MB over the last four fifths of {args.calls} calls.")


if __name__ == "__main__":
    main()
