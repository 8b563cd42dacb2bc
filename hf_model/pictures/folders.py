"""What a folder holds: one way of listing, for the command line and for bulk."""

import os
import pathlib
from collections.abc import Collection


def list_files(folder: str | os.PathLike, endings: Collection[str]) -> dict[str, pathlib.Path]:
    """The files of a folder and of those in it, by their place in it with ``/`` between, in the same order in every
    run.

    What begins with a dot is left out at every depth, a file as ``._x.jpg`` too. A linked folder is gone into once,
    however often links lead to it; a link to nothing is listed, for whoever reads it to say so.

    Args:
        folder: a folder.
        endings: of names, with their dot, in lower case.
    """
    found: dict[str, pathlib.Path] = {}
    seen: set[tuple[int, int]] = set()
    waiting = [(pathlib.Path(folder), "")]
    while waiting:
        inside, place = waiting.pop()
        about = inside.stat()
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        with os.scandir(inside) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                path = inside / entry.name
                if entry.is_dir():
                    waiting.append((path, f"{place}{entry.name}/"))
                elif os.path.splitext(entry.name)[1].lower() in endings and (entry.is_file() or entry.is_symlink()):
                    found[f"{place}{entry.name}"] = path
        waiting.sort(key=lambda one: one[1], reverse=True)  # a folder that is reached twice keeps its first name
    return dict(sorted(found.items(), key=lambda item: item[0].split("/")))
