"""What the benchmarks share: a fresh process for a step, the machine they ran on, the file they write."""

import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import PIL.Image

from train.machine import describe_machine

FOLDER = pathlib.Path(__file__).parent


def run_fresh(code: str, *arguments: str) -> dict:
    """The JSON that a fresh Python process prints last."""
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(result.stdout.splitlines()[-1])


def in_turns(repeats: int, **calls: Callable) -> dict[str, float]:
    """Median seconds of each call, made in turns; one round before the clock runs."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def astronaut() -> PIL.Image.Image:
    import skimage.data

    return PIL.Image.fromarray(skimage.data.astronaut())


def write_report(name: str, packages: tuple[str, ...], figures: dict) -> None:
    """Writes ``benchmarks/NAME.json`` with the machine and the versions, and prints it."""
    report = {
        "machine": describe_machine(),
        "versions": {package: importlib.metadata.version(package) for package in packages},
        **figures,
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
