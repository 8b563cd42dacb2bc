"""Memory over many calls of differing sizes, on every engine: `python -m benchmarks.soak [--sizes 2000]`.

Exits 1 where the resident memory grows by more than 20 MB over the second half of the sizes. Written to
``benchmarks/soak.json``.
"""

import argparse
import json
import sys

from benchmarks.common import run_fresh, write_report

LIMIT_MB = 20
ENGINES = ("keras", "onnx", "openvino")
SOAK = """
import json, os, pathlib, sys
import numpy as np
import PIL.Image
import skimage.data
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model", engine=sys.argv[1])
count = int(sys.argv[2])
photo = PIL.Image.fromarray(skimage.data.astronaut())
random = np.random.default_rng(0)
sizes = random.permutation(600 * 600)[:count]  # no size comes twice
memory = []
for call, size in enumerate(sizes):
    picture = photo.resize((40 + int(size) % 600, 40 + int(size) // 600), PIL.Image.Resampling.BILINEAR)
    predictor(picture, faces=("most_confident", "all", "none")[call % 3])
    if (call + 1) % max(count // 20, 1) == 0:
        pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        memory.append(round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1))
print(json.dumps(memory))
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--sizes", type=int, default=2000)
    args = parser.parse_args(argv)
    figures: dict = {"sizes": args.sizes, "limit_mb": LIMIT_MB, "engines": {}}
    for engine in ENGINES:
        memory = run_fresh(SOAK, engine, str(args.sizes))
        grown = round(memory[-1] - memory[len(memory) // 2 - 1], 1)
        figures["engines"][engine] = {"resident_mb": memory, "grown_mb": grown}
        print(engine, json.dumps(figures["engines"][engine]), flush=True)
    write_report("soak", ("tensorflow", "keras", "mtcnn", "onnxruntime", "openvino"), figures)
    grown = {engine: one["grown_mb"] for engine, one in figures["engines"].items() if one["grown_mb"] > LIMIT_MB}
    if grown:
        sys.exit(f"Memory grew over the second half of {args.sizes} sizes: {grown} MB.")


if __name__ == "__main__":
    main()
