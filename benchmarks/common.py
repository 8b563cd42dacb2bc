"""What the benchmarks share: a fresh process for a step, the machine they ran on, the file they write."""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

from train.machine import describe_machine

FOLDER = pathlib.Path(__file__).parent


def run_fresh(code: str, *arguments: str) -> dict:
    """The JSON that a fresh Python process prints last."""
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(result.stdout.splitlines()[-1])


def write_report(name: str, packages: tuple[str, ...], figures: dict) -> None:
    """Writes ``benchmarks/NAME.json`` with the machine and the versions, and prints it."""
    report = {
        "machine": describe_machine(),
        "versions": {package: importlib.metadata.version(package) for package in packages},
        **figures,
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
