"""The package that a transformers door came with: found, fetched and loaded.

transformers copies a door away alone, with the files beside it that it names. This one, which imports nothing of the
package, leads back to the rest of it.
"""

import importlib.util
import json
import os
import pathlib

import huggingface_hub

# Written by `make publish`: the files of the package, which are fetched where the repo is not a folder.
FILE_LIST = "package_files.json"
PULLING = ("token", "cache_dir", "local_files_only")  # transformers' options of how a repo is pulled
_loaded: dict = {}  # by repo and commit


def package_of(name: str, module: str, config, **options):
    """The package for a model: the folder itself, or the code of the repo and commit that a door was loaded from.

    Args:
        name: of the model, a folder or a repo.
        module: of the door, as transformers calls it: ``transformers_modules.USER.REPO.COMMIT.modeling_age_gender``.
        config: its ``auto_map`` may name another repo for the code, as ``repo--module.class``.
        **options: those of ``PULLING``.

    Raises:
        FileNotFoundError: a part of it is missing.
    """
    if os.path.isdir(name):
        return load_package(pathlib.Path(name))
    source = code_source(module, name, config)
    if source not in _loaded:
        _loaded[source] = load_package(fetch_package(*source, **options))
    return _loaded[source]


def code_source(module: str, name: str, config) -> tuple[str, str | None]:
    """The repo that code was loaded from, and its commit, see :func:`package_of`."""
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
