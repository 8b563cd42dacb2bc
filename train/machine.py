"""What a run was made on: the commit of the code, and the machine."""

import os
import pathlib
import platform
import subprocess

# What decides how fast a processor multiplies, and in which type, where several go by one name.
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def git_commit() -> str | None:
    """The commit of the code that runs, as ``git describe`` names it; None where there is no git."""
    try:
        told = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return told.stdout.strip() or None


def describe_machine() -> dict:
    """``{"processor", "cores", "instructions", "python"}`` of this machine, as Linux names them.

    Elsewhere the processor is what Python knows of it, and ``instructions`` is empty.
    """
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    return {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in facts.get("flags", "").split()],
        "python": platform.python_version(),
    }
