"""ONNX Runtime without its telemetry."""

import os
import sys

# From 1.29 on its Linux and macOS builds send usage data to Microsoft and keep an identifier of the machine in the
# user's home, unless this is set before the first import (its Privacy.md); the second name is that of a few builds
# before it.
SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")


def import_onnxruntime():
    """The module ``onnxruntime``, imported so that it reports nothing.

    Where the program has imported it before, all that can still be switched off is.

    Raises:
        ImportError: it is not installed.
    """
    was_there = "onnxruntime" in sys.modules
    for name in SWITCHES:
        os.environ[name] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("engine='onnx' needs onnxruntime: pip install onnxruntime") from error
    if was_there:
        onnxruntime.disable_telemetry_events()
    return onnxruntime
