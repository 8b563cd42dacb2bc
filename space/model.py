"""Finds the model that the Space shows, and loads it with the code that came with it."""

import importlib.util
import json
import os
import pathlib
import sys
import time

import huggingface_hub
from zero_gpu import OnGpu, is_zero_gpu

FRONT_MATTER = pathlib.Path(__file__).with_name("README.md")
PAUSES = (2, 8)  # seconds before the Hub is asked again
LOCAL = pathlib.Path(__file__).resolve().parent.parent / "hf_model"


def chosen_model() -> tuple[str | None, str | None]:
    """The model repo and its revision: the Space variables, else the Space's own front matter, else (None, None)."""
    if os.environ.get("MODEL_ID"):
        return os.environ["MODEL_ID"], os.environ.get("MODEL_REVISION") or None
    if not FRONT_MATTER.is_file():
        return None, None
    data = huggingface_hub.SpaceCard(FRONT_MATTER.read_text(encoding="utf-8"), ignore_metadata_errors=True).data
    models = data.get("models") or [None]
    return models[0], data.get("model_revision")


def page_version() -> str | None:
    """The version that this Space was published with; None in a checkout."""
    if not FRONT_MATTER.is_file():
        return None
    text = FRONT_MATTER.read_text(encoding="utf-8")
    return huggingface_hub.SpaceCard(text, ignore_metadata_errors=True).data.get("space_version")


def find_model_folder() -> pathlib.Path:
    """The folder of the model repo: the chosen one from the Hub or the filled cache, else the local ``hf_model/``.

    Raises:
        FileNotFoundError: no model is chosen and there is no local folder.
        PermissionError: the model is gated, and the Space has no token that may have it.
    """
    repo, revision = chosen_model()
    if repo:
        try:
            return pull(repo, revision)
        except huggingface_hub.errors.GatedRepoError:
            raise PermissionError(
                f"{repo} is gated. Set the Space's secret HF_TOKEN to a read token of a user who accepted its terms, "
                f"then "
                "restart the Space."
            ) from None
    if not LOCAL.is_dir():
        raise FileNotFoundError(
            "Set the Space variable MODEL_ID to the model's repo, such as 'user/age-gender-resnet50'."
        )
    return LOCAL


def pull(repo: str, revision: str | None) -> pathlib.Path:
    """A repo's files. Where the Hub is down it is asked again, twice, and then what was pulled before must do.

    Raises:
        LocalEntryNotFoundError: the Hub is down, and nothing was pulled before.
        HfHubHTTPError: the Hub does not give it.
    """
    for pause in (*PAUSES, None):
        try:
            return pathlib.Path(huggingface_hub.snapshot_download(repo, revision=revision))
        except (OSError, huggingface_hub.errors.HfHubHTTPError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if pause is None or (status is not None and status < 500 and status != 429):
                raise
            print(f"The Hub did not give {repo} ({type(error).__name__}); asking again in {pause} s.", flush=True)
            time.sleep(pause)
    raise AssertionError


def load_predictors(folder: pathlib.Path):
    """The predictors of a downloaded model repo for photos and for the camera, from the package that the repo itself
    is.

    Both are one, on the fastest engine. On ZeroGPU photos are answered on the GPU and the camera by the processor:
    a frame would wait for a GPU longer than it is worth.
    """
    spec = importlib.util.spec_from_file_location(
        "hf_model", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["hf_model"] = package
    spec.loader.exec_module(package)
    if is_zero_gpu():
        import spaces

        on_gpu = package.AgeGenderPredictor.from_pretrained(folder, engine="torch")
        on_processor = "openvino" if importlib.util.find_spec("openvino") else "onnx"
        return OnGpu(on_gpu, spaces.GPU), package.AgeGenderPredictor.from_pretrained(folder, engine=on_processor)
    predictor = package.AgeGenderPredictor.from_pretrained(folder, engine="auto")
    return predictor, predictor


def read_card(folder: pathlib.Path) -> str:
    """The model card: the repo's README.md, in a checkout of the project MODEL_CARD.md; "" where there is none."""
    for path in (folder / "README.md", folder.parent / "MODEL_CARD.md"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return ""


def read_metrics(folder: pathlib.Path) -> dict | None:
    """The model's measured figures, None where the repo has none."""
    path = folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
