"""How the commands end and speak: without a traceback where the reader has gone, and in a console that lacks a
letter."""

import contextlib
import os
import pathlib
import sys
import warnings
from collections.abc import Callable

INTERRUPTED = 130  # as shells report Ctrl-C
CUT_OFF = 141  # and a pipe whose reader has gone


def run_command(main: Callable[[], int]) -> int:
    """Runs a command's ``main``; its exit status.

    Letters that the console cannot show, and bytes of file names that are not UTF-8, are shown with backslashes.
    Ctrl-C, a reader of the output that has gone, and a closed stderr end it quietly.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on odd metadata; this process is ours
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started this
            setattr(sys, name, pathlib.Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        _say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains at its end, when it flushes
        return CUT_OFF


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)


def expanded_path(text: str) -> pathlib.Path:
    """A path as a command is given it: ``~`` is the home, also behind an option's ``=``, where no shell sees it."""
    return pathlib.Path(text).expanduser()


def quoted(name: str) -> str:
    """A file's name as text that is UTF-8: bytes that are not stand as ``\\\\xff``, and a backslash of its own as
    two."""
    if name.isascii() and "\\" not in name:
        return name
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def unquoted(text: str) -> str:
    """The name that :func:`quoted` made a text of, as Python's functions on files take it."""
    if "\\" not in text:
        return text
    parts, place = bytearray(), 0
    while (found := text.find("\\", place)) >= 0:
        parts += text[place:found].encode()
        if text[found + 1] == "\\":
            parts += b"\\"
            place = found + 2
        else:
            parts.append(int(text[found + 2 : found + 4], 16))
            place = found + 4
    return os.fsdecode(bytes(parts + text[place:].encode()))
