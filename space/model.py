"""Finds the model that the Space shows, and loads it with the code that came with it."""

import importlib.util
import os
import pathlib
import sys

import huggingface_hub

LOCAL = pathlib.Path(__file__).resolve().parent.parent / "hf_model"


def find_model_folder() -> pathlib.Path:
    """The folder of the model repo: ``MODEL_ID`` at ``MODEL_REVISION`` from the Hub, else the local ``hf_model/``.

    Raises:
        FileNotFoundError: no ``MODEL_ID`` is set and there is no local folder.
    """
    repo = os.environ.get("MODEL_ID")
    if repo:
        return pathlib.Path(huggingface_hub.snapshot_download(repo, revision=os.environ.get("MODEL_REVISION") or None))
    if not LOCAL.is_dir():
        raise FileNotFoundError(
            "Set the Space variable MODEL_ID to the model's repo, such as 'user/age-gender-resnet50'."
        )
    return LOCAL


def load_predictor(folder: pathlib.Path):
    """The predictor of a downloaded model repo, from the package that the repo itself is."""
    spec = importlib.util.spec_from_file_location(
        "hf_model", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["hf_model"] = package
    spec.loader.exec_module(package)
    return package.AgeGenderPredictor.from_pretrained(folder)


def read_card(folder: pathlib.Path) -> str:
    """The model card: the repo's README.md, in a checkout of the project MODEL_CARD.md; "" where there is none."""
    for path in (folder / "README.md", folder.parent / "MODEL_CARD.md"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return ""
