"""Reading and writing ``hf_model/config.json``, where every constant of inference lives."""

import json
import os
import pathlib
import re

from train.files import write_whole


def read_config(path: str | os.PathLike) -> dict:
    """The content of a ``config.json``."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def write_config(path: str | os.PathLike, config: dict) -> None:
    """Replaces a ``config.json``, whole; lists of numbers stand on one line."""
    text = json.dumps(config, indent=2, ensure_ascii=False)
    numbers = re.compile(r"\[\s+((?:-?[\d.e+-]+,\s+)*-?[\d.e+-]+)\s+\]")
    write_whole(path, numbers.sub(lambda match: f"[{' '.join(match[1].split())}]", text) + "\n")


def update_config(path: str | os.PathLike, section: str, values: dict | list) -> None:
    """Replaces one section of a ``config.json`` by measured values."""
    write_config(path, read_config(path) | {section: values})
