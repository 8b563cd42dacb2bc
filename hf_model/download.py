"""Where the model lies: a folder as it is, or a repo of the Hub, pulled; and its files: read whole, written whole,
hashed."""

import hashlib
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
SMALL_FILES = ("familiarity.safetensors",)  # that a model has beside its weights or graphs, where it has them


def find_model(
    name_or_path: str | os.PathLike,
    instead: Sequence[str] = (),
    suffices: Callable[[pathlib.Path], bool] = lambda folder: True,
    beside: Sequence[str] = (),
    **options,
) -> pathlib.Path:
    """The folder of a model: the given one, or that of a repo's files in the cache, pulled where they are missing.

    Args:
        name_or_path: a folder (``~`` is the home), or ``"user/repo"``.
        instead: files that are enough in place of the weights, where the repo has them.
        suffices: whether what was pulled of these will do.
        beside: files that are pulled in any case, where the repo has them.
        **options: ``revision``, ``token`` and ``cache_dir`` of :func:`huggingface_hub.snapshot_download`.

    Raises:
        FileNotFoundError: neither such a folder nor such a repo.
    """
    folder = pathlib.Path(name_or_path).expanduser()
    if folder.is_dir():
        return folder
    if instead:
        pulled = _pull(os.fspath(name_or_path), [CONFIG_NAME, *SMALL_FILES, *beside, *instead], **options)
        if all((pulled / name).is_file() for name in instead) and suffices(pulled):
            return pulled
    return _pull(os.fspath(name_or_path), [CONFIG_NAME, *SMALL_FILES, *beside, WEIGHTS_NAME], **options)


def read_config(folder: pathlib.Path) -> dict:
    """The content of a model folder's ``config.json``.

    Raises:
        FileNotFoundError: there is none.
    """
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise FileNotFoundError(f"No {CONFIG_NAME} in {folder}: it is not a folder of this model.")
    return json.loads(path.read_text(encoding="utf-8"))


def refuse_pointer(path: pathlib.Path) -> None:
    """Raises FileNotFoundError where Git LFS left a pointer in a file's place, as a clone without it does."""
    if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(b"version https://git-lfs"):
        raise FileNotFoundError(f"{path} is only a pointer of Git LFS: run `git lfs pull` in that folder.")


def file_sha256(path: str | os.PathLike) -> str:
    """The sha256 of a file as hexadecimal text."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes a file, text as UTF-8; whoever reads ``path`` sees the old content or all of the new."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as temporary:
        partial = pathlib.Path(temporary) / path.name
        partial.write_bytes(data)
        os.replace(partial, path)


def _pull(repo: str, files: list[str], **options) -> pathlib.Path:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return pathlib.Path(huggingface_hub.snapshot_download(repo, allow_patterns=files, **options))
    except HFValidationError:
        raise FileNotFoundError(
            f"No folder {repo!r}, and it cannot be a Hub repo either (those are 'user/name')."
        ) from None
    except LocalEntryNotFoundError as error:
        raise FileNotFoundError(f"{repo!r} is not on this disk and the Hub could not be reached: {error}") from error
    except HfHubHTTPError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "refused"
        raise FileNotFoundError(
            f"No folder {repo!r}, and the Hub did not give a model of that name: {reason}"
        ) from error
