"""What a figure of time was measured on."""

import os
import pathlib
import platform


def describe_machine() -> dict:
    """``{"processor", "cores", "python"}`` of this machine; the processor as Linux names it, else what Python knows."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return {"processor": processor, "cores": os.cpu_count(), "python": platform.python_version()}
