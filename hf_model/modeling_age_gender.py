"""The model class that transformers' AutoModel finds: a thin coat around the predictor.

transformers' ``pipeline`` wants a model with a handful of PyTorch-like members. PyTorch is needed by ``pipeline`` alone
and never by this model. This file imports nothing of the package beside it: transformers copies it away alone, and it
loads the folder that it came from as a package.
"""

import importlib.util
import json
import os
import pathlib
import shutil

import huggingface_hub
from transformers import AutoConfig

# Written by `make publish`: the files of the package, which are fetched where the repo is not a folder.
FILE_LIST = "package_files.json"
WEIGHTS_NAME = "model.safetensors"


class PreTrainedModel:
    """Tells transformers 4.57, which reads a model's framework off its ancestors' names, to go on."""


class AgeGenderModel(PreTrainedModel):
    """What AutoModel returns: ``predictor`` does the work, ``package`` is the code that it came with."""

    main_input_name = "pixel_values"
    framework = "pt"
    device = "cpu"
    dtype = None
    hf_device_map = None
    _auto_class = None

    def __init__(self, config, predictor, package):
        self.config = config
        self.predictor = predictor
        self.package = package

    @classmethod
    def from_pretrained(
        cls,
        name_or_path,
        *args,
        config=None,
        revision=None,
        token=None,
        cache_dir=None,
        local_files_only=False,
        engine="auto",
        precision="auto",
        threads=None,
        **kwargs,
    ):
        """Loads from a folder or a Hub repo; ``engine``, ``precision`` and ``threads`` are the predictor's, and other
        keyword arguments of transformers have no meaning here.

        The code is that of the repo and commit that this file was loaded from; ``revision`` says which configuration
        and weights.

        Raises:
            FileNotFoundError: a part is missing.
        """
        options = {"revision": revision, "token": token, "cache_dir": cache_dir, "local_files_only": local_files_only}
        if config is None:
            config = AutoConfig.from_pretrained(name_or_path, trust_remote_code=True, **options)
        if os.path.isdir(name_or_path):
            package = load_package(pathlib.Path(name_or_path))
        else:
            del options["revision"]
            package = load_package(fetch_package(*code_source(cls.__module__, str(name_or_path), config), **options))
        running = {"engine": engine, "precision": precision, "threads": threads}
        predictor = package.AgeGenderPredictor.from_pretrained(
            name_or_path,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            **running,
        )
        return cls(config, predictor, package)

    def save_pretrained(self, save_directory, **options):
        """Writes the model's folder whole: configuration, weights, code and what belongs to them.

        Args:
            save_directory: a folder, made where it is missing.
            **options: transformers' own have no meaning here.

        Raises:
            FileNotFoundError: the model was pulled without its weights: load it with ``engine="keras"`` first.
        """
        source, target = pathlib.Path(self.predictor.folder), pathlib.Path(save_directory)
        if not (source / WEIGHTS_NAME).is_file():
            raise FileNotFoundError(
                f"{source} holds the graph that runs and not {WEIGHTS_NAME}: load with engine='keras' once, then save."
            )
        code = pathlib.Path(self.package.__file__).parent
        for folder in dict.fromkeys((code, source)):  # they may be of two commits
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder)
                hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
                if path.is_file() and not hidden and path.resolve() != (target / name).resolve():
                    (target / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target / name)

    def __call__(self, images, **options):
        """What the predictor answers, see ``AgeGenderPredictor.__call__``."""
        return self.predictor(images, **options)

    @classmethod
    def register_for_auto_class(cls, auto_class="AutoModel"):
        cls._auto_class = auto_class

    def to(self, *args, **kwargs):
        return self

    def eval(self):
        return self

    def can_generate(self):
        return False


def code_source(module: str, name: str, config) -> tuple[str, str | None]:
    """The repo that code was loaded from, and its commit.

    Args:
        module: of this file, as transformers calls it: ``transformers_modules.USER.REPO.COMMIT.modeling_age_gender``.
        name: of the model's repo.
        config: its ``auto_map`` may name another repo for the code, as ``repo--module.class``.
    """
    commit = module.split(".")[-2] if module.count(".") >= 2 else None
    reference = (getattr(config, "auto_map", None) or {}).get("AutoModel", "")
    repo = reference.partition("--")[0] if "--" in reference else name
    return repo, commit if commit and len(commit) == 40 else None


def fetch_package(repo: str, commit: str | None, **options) -> pathlib.Path:
    """The folder with the package's files of a repo at a commit: exactly those that its list names.

    Raises:
        FileNotFoundError: the list, or a file that it names, is missing.
    """
    listed = huggingface_hub.hf_hub_download(repo, FILE_LIST, revision=commit, **options)
    names = json.loads(pathlib.Path(listed).read_text(encoding="utf-8"))
    folder = pathlib.Path(huggingface_hub.snapshot_download(repo, revision=commit, allow_patterns=names, **options))
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{repo} at {commit} lacks {', '.join(missing)} of its {FILE_LIST}; pull it again.")
    return folder


def load_package(folder: pathlib.Path):
    """The package in a folder, by its ``handler.py``."""
    spec = importlib.util.spec_from_file_location("age_gender_handler", folder / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    handler = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(handler)
    return handler.load_package(folder)
