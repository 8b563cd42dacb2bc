"""What a bulk run writes: Parquet shards that appear whole, and a manifest that says what they hold."""

import json
import os
import pathlib
from collections.abc import Iterable, Iterator

from ..faces.quality import QUALITY_KEYS
from .sources import SourceError

try:
    import pyarrow
    import pyarrow.parquet
except ImportError:  # optional: bulk.py says what to install
    pyarrow = None

MANIFEST = "manifest.json"
FORMAT = 1
SHARD_ROWS = 1000


def schema(distribution: bool):
    """The Arrow schema of a shard."""
    pa = pyarrow
    whole, number = pa.int32(), pa.float64()
    box = pa.struct([(side, whole) for side in ("xmin", "ymin", "xmax", "ymax")])
    face = [
        ("age", number),
        ("age_interval", pa.list_(number)),
        ("gender", pa.string()),
        ("female_probability", number),
        ("box", box),
        ("detection_score", number),
        ("rotation", whole),
        ("quality", pa.struct([(name, number) for name in QUALITY_KEYS])),
        ("warnings", pa.list_(pa.string())),
    ]
    if distribution:
        face.append(("age_distribution", pa.list_(pa.float32())))
    return pa.schema(
        [
            ("key", pa.string()),
            ("faces", pa.list_(pa.struct(face))),
            ("error", pa.string()),
            ("model_version", pa.string()),
            ("weights_sha256", pa.string()),
        ]
    )


class Shards:
    """A folder of shards, ``part-00000.parquet`` and so on, and its manifest.

    A shard lies under its name whole or not at all, and counts once the manifest names it; so a run that is killed at
    any moment goes on behind the last one.

    Args:
        folder: where they lie; made where it is missing.
        about: what the rows depend on (source, options, model): equal in every run that goes on.
        rows: how many pictures the source has.

    Raises:
        SourceError: the folder holds the shards of another run, or things that are none.
    """

    def __init__(self, folder: pathlib.Path, about: dict, rows: int, shard_rows: int = SHARD_ROWS):
        self.folder, self.rows = folder, rows
        self.path = folder / MANIFEST
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            self.manifest = json.loads(self.path.read_text(encoding="utf-8"))
            self._check(about)
            return
        others = [file.name for file in folder.iterdir() if not file.name.endswith(".partial")]
        if others:
            raise SourceError(f"{folder}: is not empty and has no {MANIFEST} ({others[0]}, ...). Pass another --out.")
        self.manifest = {"format": FORMAT, **about, "rows": rows, "shard_rows": shard_rows, "shards": []}
        self._write_manifest()

    def _check(self, about: dict) -> None:
        for name, value in about.items():
            before = self.manifest.get(name)
            if before != value:
                what = "the source has changed since" if name == "source" else f"it was made with {name} = {before!r}"
                raise SourceError(
                    f"{self.folder}: cannot be resumed, {what}; now it is {value!r}. "
                    "Run as before, or pass another --out."
                )

    @property
    def done(self) -> int:
        """How many rows the finished shards hold: those from the first on."""
        return sum(shard["rows"] for shard in self.manifest["shards"])

    def write(self, batches: Iterable) -> Iterator[int]:
        """Writes Arrow tables of rows, in the source's order from :attr:`done` on; gives the number of rows done.

        Raises:
            SourceError: the disk is full or cannot be written to.
        """
        size, waiting = self.manifest["shard_rows"], None
        for batch in batches:
            waiting = batch if waiting is None else pyarrow.concat_tables([waiting, batch])
            while waiting.num_rows >= size or (waiting.num_rows and self.done + waiting.num_rows == self.rows):
                self._write_shard(waiting.slice(0, size))
                waiting = waiting.slice(size)
                yield self.done

    def _write_shard(self, table) -> None:
        shards = self.manifest["shards"]
        name = f"part-{len(shards):05d}.parquet"
        partial = self.folder / f"{name}.partial"
        try:
            pyarrow.parquet.write_table(table, partial, compression="zstd")
            os.replace(partial, self.folder / name)
            shards.append({"file": name, "first": self.done, "rows": table.num_rows})
            self._write_manifest()
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise SourceError(
                f"{self.folder}: cannot be written to ({error.strerror or error}). The shards done are whole: make "
                f"room "
                "and run the same command again."
            ) from error

    def _write_manifest(self) -> None:
        partial = self.path.with_suffix(".json.partial")
        partial.write_text(json.dumps(self.manifest, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.path)


def finished(folder: pathlib.Path) -> Iterator:
    """The finished shards of a folder, one Arrow table each, in order."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for shard in manifest["shards"]:
        yield pyarrow.parquet.read_table(folder / shard["file"])
