"""Labelling many pictures: the columns ``faces`` and ``error``, for a dataset, or for the rows of a source."""

import os
from typing import Any

from ..pictures.inputs import InvalidImageError
from ..predictor import AgeGenderPredictor
from .locations import Reach
from .safe_reader import READER, SafeReader
from .shards import schema
from .sources import SourceError, fetch

try:
    import datasets
except ImportError:  # optional: only label_dataset wants it, whose callers have it
    datasets = None


COLUMNS = ("faces", "error")


def label_dataset(
    dataset,
    predictor: AgeGenderPredictor,
    column: str = "image",
    *,
    faces: str = "all",
    prefix: str = "",
    num_proc: int | None = None,
    remote: bool = False,
):
    """A dataset with two more columns: ``faces``, the list of a picture's prediction dicts, and ``error``.

    Args:
        dataset: a ``datasets.Dataset`` or ``IterableDataset`` (for which this is lazy).
        predictor: answers.
        column: of the pictures: decoded, or dicts of bytes and path, or paths.
        faces: as for the predictor.
        prefix: of the two new columns' names, where the dataset has such columns of its own.
        remote: fetch pictures that the dataset names by ``https://`` or ``hf://``, as a streamed one does.
        num_proc: processes that share the work, each with a predictor of its own; for a ``Dataset``.

    Raises:
        ValueError: no such column, or one that would be overwritten.
    """
    names = dataset.column_names
    if names is not None and column not in names:
        raise ValueError(f"The dataset has no column {column!r}; there are {', '.join(names)}.")
    made = {name: f"{prefix}{name}" for name in COLUMNS}
    _refuse_overwriting(names or (), made, prefix)
    features = dataset.features
    if features is not None and isinstance(features[column], datasets.Image):
        # Undecoded, so that one bad picture is a row with an error and not the end.
        dataset = dataset.cast_column(column, datasets.Image(decode=False))

    def label(batch: dict) -> dict:
        _refuse_overwriting(batch, made, prefix)  # of a stream that does not say its columns before
        pictures = [_picture(value, remote) for value in batch[column]]
        answers = predictor(pictures, faces=faces, on_error="return")
        rows = [_row(answer, False) for answer in answers]
        return {new: [row[name] for row in rows] for name, new in made.items()}

    options: dict[str, Any] = {} if num_proc is None else {"num_proc": num_proc}
    if dataset.features is not None:
        options["features"] = datasets.Features(dataset.features | _features(made))
    labelled = dataset.map(label, batched=True, batch_size=32, **options)
    return labelled if features is None else labelled.cast_column(column, features[column])


def _picture(value, remote: bool):
    """What the predictor is given for a value of a column; an error is one that it gives back."""
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path") or b""
    if not isinstance(value, str):
        return b"" if value is None else value
    try:
        return Reach(remote=remote, how="remote=True").get(value)
    except InvalidImageError as error:
        return error


def _refuse_overwriting(names, made: dict[str, str], prefix: str) -> None:
    taken = sorted(set(made.values()) & set(names))
    if taken:
        raise ValueError(
            f"The dataset has a column {taken[0]!r} already, which would be overwritten: pass "
            f"prefix={f'{prefix}predicted_'!r}."
        )


def _features(made: dict[str, str]) -> dict:
    """Types of the two columns: those of a bulk run's."""
    known = datasets.Features.from_arrow_schema(schema(False))
    return {new: known[name] for name, new in made.items()}


def _row(answer, distribution: bool) -> dict:
    if isinstance(answer, Exception):
        return {"faces": [], "error": str(getattr(answer, "reason", answer))}
    return {"faces": [face.to_dict(distribution) for face in answer], "error": None}


class Labeller:
    """Labels rows of a source; one a worker.

    Args:
        model: folder of the model.
        source: ``kind`` and ``column`` of the :class:`hf_model.bulk.sources.Source`.
        faces, distribution, engine, precision: as for the predictor.
        reach: how far places that a table names are followed, as the keywords of
            :class:`hf_model.bulk.locations.Reach`.
        reader: see :class:`hf_model.bulk.safe_reader.SafeReader`.
        threads: that the networks may use; 0 leaves it to them.
    """

    def __init__(
        self,
        model: str,
        source: tuple[str, str | None],
        faces: str = "all",
        distribution: bool = False,
        engine: str = "auto",
        precision: str = "auto",
        reader: str | None = None,
        threads: int = 0,
        reach: dict | None = None,
    ):
        if threads:
            for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                os.environ[name] = str(threads)
        bounded = threads if threads and engine != "keras" else None
        self.predictor = AgeGenderPredictor.from_pretrained(model, engine=engine, precision=precision, threads=bounded)
        settings = self.predictor.settings
        self.reader = SafeReader(settings.input.max_pixels, settings.reading.formats, reader=reader or READER)
        self.source, self.faces, self.distribution = source, faces, distribution
        self.reach = Reach(**(reach or {}))

    def rows(self, listed: list[dict]) -> list[dict]:
        """``{"key", "faces", "error"}`` of each listed row, in their order."""
        pictures = [self._read(row) for row in listed]
        good = [picture for picture in pictures if not isinstance(picture, Exception)]
        answers = iter(self.predictor(good, faces=self.faces, on_error="return") if good else [])
        results = []
        for row, picture in zip(listed, pictures, strict=True):
            answer = picture if isinstance(picture, Exception) else next(answers)
            results.append({"key": row["key"], **_row(answer, self.distribution)})
        return results

    def _read(self, row: dict):
        try:
            return self.reader.read(fetch(*self.source, row, self.reach))
        except (InvalidImageError, SourceError) as error:
            return error
        except OSError as error:
            return InvalidImageError(row["key"], f"cannot be read ({error.strerror or error})")
