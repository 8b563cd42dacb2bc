"""Where the pictures of a bulk run lie: a folder, Parquet, a saved or published dataset, or WebDataset's tar files.

A source is listed once, in an order that is the same in every run; a row of the list says where one picture is, so that
any worker can fetch it.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import tarfile
from collections.abc import Iterator, Sequence

from ..console import quoted, unquoted
from ..pictures.folders import list_files
from ..pictures.images import picture_endings
from .locations import Reach

try:
    import pyarrow.parquet
except ImportError:  # optional: bulk.py says what to install
    pyarrow = None
try:
    import datasets
except ImportError:
    datasets = None


KINDS = {"pictures": "folder", "tar": "tar", "parquet": "parquet"}  # of a folder's files, by the names of --kind


class SourceError(ValueError):
    """A source that cannot be used: the message names it, the reason and what to do."""


class Source:
    """A listed source.

    ``kind``: ``"folder"``, ``"parquet"``, ``"tar"``, ``"saved"`` or ``"hub"``; ``column``: of the pictures, in tables;
    ``rows``: one dict a picture, ``{"key", "path", "start", "length"}``: the name it is known by; the file (or dataset)
    it is in, both as :func:`hf_model.console.quoted` writes them; and the row, or place and size in bytes; ``roots``:
    the folders that hold it; ``fingerprint``: changes when the list or a file's size or time does.
    """

    def __init__(self, kind: str, column: str | None, rows: list[dict], stamps: list, roots: tuple[str, ...] = ()):
        self.kind, self.column, self.rows, self.roots = kind, column, rows, roots
        text = json.dumps([kind, column, [list(row.values()) for row in rows], stamps], ensure_ascii=True)
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()


def list_source(
    name: str,
    column: str = "image",
    split: str | None = None,
    *,
    formats: Sequence[str] | None,
    kind: str | None = None,
) -> Source:
    """Lists a source.

    Args:
        name: a folder of pictures, or with Parquet or tar files in it; such a file; a folder that
            ``Dataset.save_to_disk`` wrote; or the id of a Hub dataset.
        column: that holds the pictures, in tables.
        split: of a dataset that has several.
        formats: of picture files, by Pillow's names.
        kind: which of a folder's files, by ``KINDS``; None where it holds one kind alone.

    Raises:
        SourceError: nothing is there, or no picture in it, or no such column or split, or files of several kinds.
    """
    path = pathlib.Path(name).expanduser()
    if _is_saved_dataset(path):
        return _of_dataset("saved", str(path.resolve()), column, split)
    if not path.exists():
        if _may_be_repo(name, path):
            return _of_dataset("hub", name, column, split)
        raise SourceError(f"{name}: there is no such file or folder.")
    files = _files_by_kind(path, picture_endings(formats))
    if kind is None:
        kind = _only_kind(name, files)
    chosen = files[kind]
    rows: list[dict]
    if kind == "pictures":
        rows = [{"key": key, "path": os.path.abspath(file), "start": 0, "length": 0} for key, file in chosen.items()]
    elif kind == "tar":
        rows = [row for key, file in chosen.items() for row in _tar_rows(key, file, picture_endings(formats))]
    else:
        rows = [row for key, file in chosen.items() for row in _parquet_rows(key, file, column)]
    if not rows:
        raise SourceError(f"{name}: no pictures in there (nor Parquet or tar files with some).")
    for row in rows:
        row["key"], row["path"] = quoted(row["key"]), quoted(row["path"])
    root = path if path.is_dir() else path.parent
    return Source(KINDS[kind], column if kind == "parquet" else None, rows, _stamps(chosen), (str(root.resolve()),))


def _is_saved_dataset(path: pathlib.Path) -> bool:
    """Whether ``Dataset.save_to_disk`` wrote it."""
    return (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file()


def _may_be_repo(name: str, path: pathlib.Path) -> bool:
    """Whether it looks like the id of a Hub dataset."""
    return name.count("/") <= 1 and not path.is_absolute() and path.suffix == ""


def _files_by_kind(path: pathlib.Path, endings: set[str]) -> dict[str, dict[str, pathlib.Path]]:
    """The files of a folder, by kind and by their place in it; or a file by its name."""
    of_kind = {".tar": "tar", ".parquet": "parquet"} | dict.fromkeys(endings, "pictures")
    files = list_files(path, of_kind) if path.is_dir() else {path.name: path}
    found: dict[str, dict[str, pathlib.Path]] = {kind: {} for kind in KINDS}
    for key, file in files.items():
        kind = of_kind.get(file.suffix.lower())
        if kind:
            found[kind][key] = file
    return found


def _only_kind(name: str, files: dict[str, dict[str, pathlib.Path]]) -> str:
    """The kind of files that there are.

    Raises:
        SourceError: there are several.
    """
    there = [kind for kind, some in files.items() if some]
    if len(there) > 1:
        told = ", ".join(f"{len(files[kind])} {kind} ({next(iter(files[kind]))!r})" for kind in there)
        raise SourceError(f"{name}: holds {told}. Pass --kind {'|'.join(there)} to say which are meant.")
    return there[0] if there else "pictures"


def _stamps(files: dict[str, pathlib.Path]) -> list:
    """By which a change of files is noticed."""
    stamps: list = []
    for key, file in files.items():
        about = file.stat() if file.exists() else None  # a link to nothing is listed, and told as a row
        stamps.append((quoted(key), *((about.st_size, about.st_mtime_ns) if about else (0, 0))))
    return stamps


def _parquet_rows(key: str, file: pathlib.Path, column: str) -> Iterator[dict]:
    try:
        table = pyarrow.parquet.ParquetFile(file)
    except Exception as error:  # pyarrow raises many kinds; each means: no whole Parquet file
        raise SourceError(f"{file}: not a Parquet file that can be read ({error}).") from None
    names = table.schema_arrow.names
    if column not in names:
        raise SourceError(f"{file}: has no column {column!r}; there are {', '.join(names)}. Pass --column.")
    for row in range(table.metadata.num_rows):
        yield {"key": f"{key}:{row}", "path": str(file.resolve()), "start": row, "length": 0}


def _tar_rows(key: str, file: pathlib.Path, endings: set[str]) -> Iterator[dict]:
    try:
        with tarfile.open(file, "r:") as archive:
            for member in archive:
                path = pathlib.PurePosixPath(member.name)
                hidden = any(part.startswith(".") and part not in (".", "..") for part in path.parts)
                if member.isfile() and not hidden and path.suffix.lower() in endings:
                    place = {"start": member.offset_data, "length": member.size}
                    yield {"key": f"{key}/{member.name}", "path": str(file.resolve()), **place}
    except tarfile.TarError as error:
        raise SourceError(f"{file}: not an uncompressed tar file that can be read ({error}).") from None


def _of_dataset(kind: str, name: str, column: str, split: str | None) -> Source:
    data = _dataset(kind, name, column, split)
    where = json.dumps([kind, name, split])
    rows = [{"key": f"{split or ''}:{row}", "path": where, "start": row, "length": 0} for row in range(len(data))]
    if not rows:
        raise SourceError(f"{name}: no rows in there.")
    caches = (datasets.config.HF_CACHE_HOME, datasets.config.HF_DATASETS_CACHE) if kind == "hub" else (name,)
    return Source(kind, column, rows, [data._fingerprint], tuple(str(pathlib.Path(one).resolve()) for one in caches))


@functools.cache
def _dataset(kind: str, name: str, column: str, split: str | None):
    """The dataset, its pictures not decoded."""
    try:
        data = datasets.load_from_disk(name) if kind == "saved" else datasets.load_dataset(name)
    except Exception as error:  # no network, no such repo, half a download, ...
        raise SourceError(f"{name}: neither a file or folder nor a dataset that can be loaded ({error}).") from None
    if isinstance(data, datasets.DatasetDict):
        if (split is None and len(data) > 1) or (split is not None and split not in data):
            missing = "" if split is None else f"no split {split!r}; it "
            raise SourceError(
                f"{name}: has {missing}{'has ' if missing else ''}the splits {', '.join(data)}. Pass --split."
            )
        data = data[split or next(iter(data))]
    elif split is not None and str(data.split or "") != split:
        raise SourceError(f"{name}: has no splits, so that --split {split} means nothing. Leave it out.")
    if column not in data.column_names:
        raise SourceError(f"{name}: has no column {column!r}; there are {', '.join(data.column_names)}. Pass --column.")
    if isinstance(data.features[column], datasets.Image):
        data = data.cast_column(column, datasets.Image(decode=False))
    return data


def fetch(kind: str, column: str | None, row: dict, reach: Reach) -> bytes | str:
    """The picture of a row of a source: its path, or its bytes.

    Raises:
        SourceError: it is not there any more, or holds no picture.
        InvalidImageError: it lies where it may not be read, or cannot be.
    """
    path = unquoted(row["path"])
    if kind == "folder":
        return path
    if kind == "tar":
        with open(path, "rb") as file:
            file.seek(row["start"])
            return file.read(row["length"])
    assert column is not None
    if kind == "parquet":
        value = _parquet_value(path, column, row["start"])
        base = os.path.dirname(path)
    else:
        of_kind, name, split = json.loads(path)
        value, base = _dataset(of_kind, name, column, split)[row["start"]][column], ""
    if isinstance(value, dict):  # as datasets stores a picture
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value:
        return dataclasses.replace(reach, base=base).get(value)
    raise SourceError(f"{row['key']}: holds no picture but {type(value).__name__}")


def _parquet_value(path: str, column: str, row: int):
    _, first_rows = _parquet_file(path)
    group = next(group for group in reversed(range(len(first_rows))) if first_rows[group] <= row)
    return _row_group(path, column, group)[row - first_rows[group]].as_py()


@functools.lru_cache(maxsize=16)
def _parquet_file(path: str):
    table = pyarrow.parquet.ParquetFile(path)
    first, rows = [], 0
    for group in range(table.num_row_groups):
        first.append(rows)
        rows += table.metadata.row_group(group).num_rows
    return table, first


@functools.lru_cache(maxsize=2)  # rows are asked for in order
def _row_group(path: str, column: str, group: int):
    return _parquet_file(path)[0].read_row_group(group, columns=[column])[column]


def same_file(first: str | os.PathLike, second: str | os.PathLike) -> bool:
    """Whether two paths are one file or folder, or the second lies in the first."""
    inner, outer = pathlib.Path(second).resolve(), pathlib.Path(first).resolve()
    return inner == outer or outer in inner.parents
