"""Writing ``hf_model/config.json``, where every constant of inference lives; :func:`hf_model.download.read_config`
reads it."""

import json
import os
import pathlib
import re

from hf_model.download import CONFIG_NAME, read_config, write_whole
from hf_model.settings import RENAMED


def write_config(folder: str | os.PathLike, config: dict) -> None:
    """Replaces a model folder's ``config.json``, whole; lists of numbers stand on one line."""
    text = json.dumps(config, indent=2, ensure_ascii=False)
    numbers = re.compile(r"\[\s+((?:-?[\d.e+-]+,\s+)*-?[\d.e+-]+)\s+\]")
    text = numbers.sub(lambda match: f"[{' '.join(match[1].split())}]", text) + "\n"
    write_whole(pathlib.Path(folder) / CONFIG_NAME, text)


def update_config(folder: str | os.PathLike, sections: dict) -> None:
    """Replaces sections of a model folder's ``config.json`` by measured values."""
    config = {RENAMED.get(key, key): value for key, value in read_config(pathlib.Path(folder)).items()}
    write_config(folder, config | sections)
