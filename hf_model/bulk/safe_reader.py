"""Reading pictures in a process of its own, so that one that crashes its decoder, or eats memory or time, costs itself
alone."""

import json
import os
import pathlib
import subprocess
import sys
import threading
from collections.abc import Sequence

import PIL.Image

from ..pictures.inputs import InvalidImageError, describe

READER = pathlib.Path(__file__).parents[1] / "pictures" / "images.py"
# Reads requests from stdin, a line of JSON each (and the picture's bytes), and answers likewise on stdout.
CHILD = """
import importlib, json, os, resource, sys, types
reader, max_pixels, most_bytes, formats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
folder, name = os.path.split(reader)
package = sys.modules["package"] = types.ModuleType("package")  # without what its own __init__ would import
package.__path__ = [os.path.dirname(folder)]
module = importlib.import_module(f"package.{os.path.basename(folder)}.{name.removesuffix('.py')}")
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # whatever a decoder prints is no answer
resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
for line in sys.stdin.buffer:
    request = json.loads(line)
    source = sys.stdin.buffer.read(request["bytes"]) if "bytes" in request else request["path"]
    try:
        picture = module.read_image(source, max_pixels, formats)
        answer, pixels = {"size": picture.size}, picture.tobytes()
    except MemoryError:
        os._exit(99)
    except ValueError as error:
        answer, pixels = {"reason": getattr(error, "reason", str(error))}, b""
    out.write(json.dumps(answer).encode() + b"\\n" + pixels)
    out.flush()
"""
OUT_OF_MEMORY = 99


class SafeReader:
    """Reads pictures as :func:`hf_model.pictures.images.read_image` does, in a child process that may die.

    Args:
        max_pixels, formats: as there.
        seconds: that one picture may take.
        memory_gb: that the child may address.
        reader: a Python file with a ``read_image``, for tests.
    """

    def __init__(
        self,
        max_pixels: int,
        formats: Sequence[str] | None = None,
        seconds: float = 30.0,
        memory_gb: float = 4.0,
        reader: str | os.PathLike = READER,
    ):
        self.seconds, self.memory_gb = seconds, memory_gb
        self._command = [
            sys.executable,
            "-c",
            CHILD,
            os.fspath(reader),
            str(max_pixels),
            str(int(memory_gb * 2**30)),
            json.dumps(formats),
        ]
        self._child: subprocess.Popen | None = None

    def read(self, source: str | os.PathLike | bytes) -> PIL.Image.Image:
        """The upright RGB picture of a path or of bytes.

        Raises:
            InvalidImageError: not a usable picture, or one that killed its decoder twice.
        """
        first = self._ask(source)
        answer = self._ask(source) if isinstance(first, str) else first  # once more, in a fresh process
        if isinstance(answer, str):
            raise InvalidImageError(describe(source), answer)
        return answer

    def close(self) -> None:
        """Ends the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, source: str | os.PathLike | bytes) -> PIL.Image.Image | str:
        """The picture, or how the child died of it."""
        if self._child is None:
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        child, late = self._child, threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(self.seconds, end)
        timer.start()
        try:
            answer = self._exchange(child, source)
        except OSError:  # the pipe broke: it died before it had read the request
            answer = None
        finally:
            timer.cancel()
        if answer is not None:
            size, pixels = answer
            return PIL.Image.frombytes("RGB", size, pixels)
        child.kill()
        code = child.wait()
        child.communicate()
        self._child = None
        if late.is_set():
            return f"takes longer than {self.seconds:g} seconds to decode"
        if code == OUT_OF_MEMORY:
            return f"takes more than {self.memory_gb:g} GB to decode"
        return f"crashes its decoder (exit code {code})"

    @staticmethod
    def _exchange(child: subprocess.Popen, source) -> tuple[tuple[int, int], bytes] | None:
        assert child.stdin is not None
        assert child.stdout is not None
        if isinstance(source, bytes):
            child.stdin.write(json.dumps({"bytes": len(source)}).encode() + b"\n" + source)
        else:
            child.stdin.write(json.dumps({"path": os.fspath(source)}).encode() + b"\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if not line.endswith(b"\n"):
            return None
        answer = json.loads(line)
        if "reason" in answer:
            raise InvalidImageError(describe(source), answer["reason"])
        width, height = answer["size"]
        pixels = child.stdout.read(3 * width * height)
        return ((width, height), pixels) if len(pixels) == 3 * width * height else None
