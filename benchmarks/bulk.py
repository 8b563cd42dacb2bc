"""How the cost of labelling in bulk grows: `python -m benchmarks.bulk` (in .venv-bulk; `make faults` runs it too).

Pictures a second of one and two workers on Ray against one process with two threads on the same files, in turns; what
Ray itself costs; memory for 1,000 and for 10,000 pictures, as the summed proportional set size of driver, workers,
Ray's own processes and the object store; and from the rates a table for a million pictures. Written to
``benchmarks/bulk.json``.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from benchmarks.common import write_report
from benchmarks.faults import RUN, make_photos

MODEL = pathlib.Path("hf_model").resolve()
CORES = (2, 16, 256)
PLAIN = """
import json, pathlib, sys, time
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained(sys.argv[3], engine="auto", threads=int(sys.argv[4]))
files = sorted(pathlib.Path(sys.argv[1]).iterdir())
predictor([str(file) for file in files[:8]], faces="all")
start = time.monotonic()
answers = predictor([str(file) for file in files], faces="all", on_error="return")
print(json.dumps({"pictures_per_second": len(files) / (time.monotonic() - start), "faces": sum(map(len, answers))}))
"""
ON_RAY = RUN.replace("workers=2", "workers=int(sys.argv[5])")


class Memory(threading.Thread):
    """Samples the summed proportional set size of a process, its children and Ray's daemons, in GB: ``peak``."""

    def __init__(self, root: int):
        super().__init__(daemon=True)
        self.root, self.peak, self.ended = root, 0.0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(1.0):
            self.peak = max(self.peak, sum(map(proportional_set_size, family(self.root))))


def family(root: int) -> list[int]:
    """A process, all below it, and whatever of Ray's runs."""
    parents, ray = {}, set()
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"raylet" in command or b"gcs_server" in command or b"ray::" in command or b"/ray/" in command:
            ray.add(int(entry.name))
    below = {root}
    while True:
        more = {process for process, parent in parents.items() if parent in below} | below
        if more == below:
            return sorted(below | ray)
        below = more


def proportional_set_size(process: int) -> float:
    """Of one process, in GB; 0 where it has ended."""
    try:
        for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1e6
    except OSError:
        pass
    return 0.0


def run(code: str, source: pathlib.Path, out: pathlib.Path, *more: str) -> dict:
    """What a fresh process prints, with ``peak_gb`` and ``wall_s``."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", code, str(source), str(out), str(MODEL), *more]
    start = time.monotonic()
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process's end below
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    memory = Memory(process.pid)
    memory.start()
    printed, _ = process.communicate()
    memory.ended.set()
    with log:
        if process.returncode:
            log.seek(0)
            sys.exit(
                f"a run on {source} failed with {process.returncode}:\n{log.read().decode(errors='replace')[-2000:]}"
            )
    result = json.loads(printed.strip().splitlines()[-1])
    return {**result, "peak_gb": round(memory.peak, 3), "wall_s": round(time.monotonic() - start, 1)}


def on_ray(photos: pathlib.Path, few: pathlib.Path, out: pathlib.Path, workers: int) -> dict:
    """A run on Ray: ``pictures_per_second`` behind its start-up, which is what a few pictures take: ``start_s``."""
    start = run(ON_RAY, few, out / "few", "1000", str(workers))
    result = run(ON_RAY, photos, out / "photos", "1000", str(workers))
    more = result["pictures"] - start["pictures"]
    return {"pictures_per_second": more / (result["wall_s"] - start["wall_s"]), "start_s": start["wall_s"]}


def rates(photos: pathlib.Path, few: pathlib.Path, folder: pathlib.Path, rounds: int) -> dict:
    """Pictures a second of each way, in turns; medians."""
    ways = {
        "one process, 1 thread": lambda turn: run(PLAIN, photos, folder, "1"),
        "one process, 2 threads": lambda turn: run(PLAIN, photos, folder, "2"),
        "Ray, 1 worker": lambda turn: on_ray(photos, few, folder / f"one{turn}", 1),
        "Ray, 2 workers": lambda turn: on_ray(photos, few, folder / f"two{turn}", 2),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name, way in ways.items():
            result = way(turn)
            taken[name].append(result["pictures_per_second"])
            print(name, result, flush=True)
    return {name: round(statistics.median(values), 2) for name, values in taken.items()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_photos(folder / "few", 8)
        make_photos(folder / "photos", args.photos)
        make_photos(folder / "many", args.many)
        start_up = run(ON_RAY, folder / "few", folder / "few_out", "1000", "2")["wall_s"]
        per_second = rates(folder / "photos", folder / "few", folder, args.rounds)
        memory = {
            str(count): run(ON_RAY, folder / source, folder / f"{source}_memory", "1000", "2")["peak_gb"]
            for source, count in (("photos", args.photos), ("many", args.many))
        }
    worker = per_second["Ray, 2 workers"] / 2
    figures = {
        "pictures_per_second": per_second,
        "two_workers_over_one_process": round(per_second["Ray, 2 workers"] / per_second["one process, 2 threads"], 3),
        "ray": {
            "start_to_end_of_8_pictures_s": start_up,
            "one_worker_over_one_thread": round(per_second["Ray, 1 worker"] / per_second["one process, 1 thread"], 3),
        },
        "memory_gb": memory,
        "memory_growth": round(memory[str(args.many)] / memory[str(args.photos)], 3),
        "a_million_pictures": {
            "assumption": "every core as fast as each of the two here, reading no slower, and no cost but the start",
            "hours": {str(cores): round(1e6 / (worker * cores) / 3600, 2) for cores in CORES},
        },
    }
    write_report("bulk", ("ray", "pyarrow", "openvino", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
