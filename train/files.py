"""Files that are never seen half-written, and their hashes."""

import hashlib
import os
import pathlib


def write_whole(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text; whoever reads ``path`` sees the old content or all of the new."""
    path = pathlib.Path(path)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def file_sha256(path: str | os.PathLike) -> str:
    """The sha256 of a file as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
