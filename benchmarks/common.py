"""What the benchmarks share: a fresh process for a step, the machine they ran on, the file they write."""

import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent


def run_fresh(code: str, *arguments: str) -> dict:
    """The JSON that a fresh Python process prints last."""
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(result.stdout.splitlines()[-1])


def processor() -> str:
    """The processor's name as Linux tells it, else what Python knows."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write_report(name: str, packages: tuple[str, ...], figures: dict) -> None:
    """Writes ``benchmarks/NAME.json`` with the machine and the versions, and prints it."""
    report = {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "python": platform.python_version()},
        "versions": {package: importlib.metadata.version(package) for package in packages},
        **figures,
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
