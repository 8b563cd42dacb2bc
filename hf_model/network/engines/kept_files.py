"""What is built once and kept in huggingface_hub's assets cache, or for this process alone where nothing can be
kept."""

import atexit
import contextlib
import functools
import json
import pathlib
import shutil
import sys
import tempfile
from collections.abc import Callable

from ...download import file_sha256, write_whole

SIZES = "kept.json"  # beside the files: of each its size in bytes and its sha256, written behind them


def place_of(key: str) -> pathlib.Path:
    """The folder of what was built for a key; nothing is created."""
    import huggingface_hub.constants

    return pathlib.Path(huggingface_hub.constants.HF_ASSETS_CACHE) / "age-gender-face" / "onnx" / key[:32]


def is_kept(path: pathlib.Path, verify_checksum: bool = False) -> bool:
    """Whether a file is there and whole: of the size that was written, and with ``verify_checksum``, of the same
    sha256."""
    try:
        about = json.loads((path.parent / SIZES).read_text(encoding="utf-8"))[path.name]
        same = path.stat().st_size == about["size"]
        return same and (not verify_checksum or file_sha256(path) == about["sha256"])
    except (OSError, ValueError, KeyError, TypeError):  # not there, or the note is not whole
        return False


def keep(paths: list[pathlib.Path], build: Callable[[], dict[str, bytes]], what: str) -> list[pathlib.Path]:
    """Builds files and keeps them, in a temporary folder of this process where that cannot be.

    Args:
        paths: where they are to lie, all in one folder.
        build: makes the content of all, by name.
        what: they are, for the line on stderr that says what is being done.

    Returns:
        Where they lie.
    """
    temporary = [_temporary_folder() / path.parent.name / path.name for path in paths]
    if all(map(is_kept, temporary)):
        return temporary
    print(f"Building {what}, once ...", file=sys.stderr, flush=True)
    content = build()
    try:
        _write(paths, content)
        return paths
    except OSError as error:
        _say_not_kept(str(paths[0].parents[1]), str(error.strerror or error))
        _write(temporary, content)
        return temporary


@functools.cache  # once a process
def _say_not_kept(place: str, reason: str) -> None:
    print(
        f"What is built cannot be kept in {place} ({reason}), and is built anew by each process. Set HF_HOME to a "
        f"folder "
        "that can be written to.",
        file=sys.stderr,
    )


def _write(paths: list[pathlib.Path], content: dict[str, bytes]) -> None:
    about = {}
    for path in paths:
        write_whole(path, content[path.name])
        about[path.name] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    note = paths[0].parent / SIZES
    with contextlib.suppress(OSError, ValueError, TypeError):  # none yet, or not a whole one
        about = json.loads(note.read_text(encoding="utf-8")) | about
    write_whole(note, json.dumps(about, indent=1))


@functools.cache
def _temporary_folder() -> pathlib.Path:
    """A folder of this process, removed at its end."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="age-gender-face-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
