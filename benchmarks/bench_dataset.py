"""Measures building and loading UTKFace: `python -m benchmarks.bench_dataset DATA_DIR`.

Each step runs in a process of its own, so that its peak memory is its own. Written to
``benchmarks/dataset.json``; ratios are between steps of one run.
"""

import argparse
import tempfile

from benchmarks.common import run_fresh, write_report

STEP = """
import json, resource, sys, time
start = time.perf_counter()
from dataset_script.utkface import UTKFace
imported = time.perf_counter()
builder = UTKFace(data_dir=sys.argv[1], cache_dir=sys.argv[2])
builder.download_and_prepare()
data = builder.as_dataset()
first = data["train"][0]["image"].size
done = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({"import_s": imported - start, "seconds": done - imported, "peak_gb": peak, "examples": sum(map(len, data.values()))}))
"""
READ = """
import itertools, json, sys, time
from dataset_script.utkface import find_sources, iter_bytes
start = time.perf_counter()
files = sum(1 for _ in itertools.chain.from_iterable(map(iter_bytes, find_sources([sys.argv[1]]))))
print(json.dumps({"seconds": time.perf_counter() - start, "files": files}))
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_dataset", description=__doc__.splitlines()[0])
    parser.add_argument("data_dir")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as cache:
        baseline = run_fresh(READ, args.data_dir)  # the least that a build must do: read every file once
        first = run_fresh(STEP, args.data_dir, cache)
        again = run_fresh(STEP, args.data_dir, cache)
    figures = {
        "reading_only": baseline,
        "first_build": first,
        "cached_load": again,
        "build_over_reading": first["seconds"] / baseline["seconds"],
        "build_over_cached_load": first["seconds"] / again["seconds"],
    }
    write_report("dataset", ("datasets", "pyarrow", "pillow"), figures)


if __name__ == "__main__":
    main()
