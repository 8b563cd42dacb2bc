"""Reading and writing ``hf_model/config.json``, where every constant of inference lives."""

import json
import os
import pathlib

from train.files import write_whole


def read_config(path: str | os.PathLike) -> dict:
    """The content of a ``config.json``."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def update_config(path: str | os.PathLike, section: str, values: dict) -> None:
    """Replaces one section of a ``config.json`` by measured values; the file is replaced whole."""
    write_whole(path, json.dumps(read_config(path) | {section: values}, indent=2, ensure_ascii=False) + "\n")
