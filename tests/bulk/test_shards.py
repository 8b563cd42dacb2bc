import errno

import pyarrow
import pyarrow.parquet
import pytest

from hf_model.bulk.shards import MANIFEST, Shards, finished, schema
from hf_model.bulk.sources import SourceError

ABOUT = {"source": "abc", "faces": "all"}


def rows(first, count):
    made = [
        {"key": str(n), "faces": [], "error": None, "model_version": "1", "weights_sha256": "x"}
        for n in range(first, first + count)
    ]
    return pyarrow.Table.from_pylist(made, schema=schema(False))


def keys(folder):
    return [
        key for file in sorted(folder.glob("*.parquet")) for key in pyarrow.parquet.read_table(file)["key"].to_pylist()
    ]


def test_shards_appear_whole_and_a_broken_run_goes_on_behind_the_last_one(tmp_path):
    shards = Shards(tmp_path, ABOUT, 25, shard_rows=10)
    written = shards.write(rows(start, 4) for start in range(0, 24, 4))
    assert next(written) == 10
    written.close()  # killed
    (tmp_path / "part-00001.parquet.partial").write_bytes(b"half")
    again = Shards(tmp_path, ABOUT, 25, shard_rows=10)
    assert again.done == 10
    assert list(again.write(rows(start, 5) for start in range(10, 25, 5))) == [20, 25]
    assert keys(tmp_path) == [str(n) for n in range(25)]
    assert sum(table.num_rows for table in finished(tmp_path)) == 25
    assert Shards(tmp_path, ABOUT, 25).done == 25


def test_other_options_another_source_and_foreign_folders_are_refused(tmp_path):
    Shards(tmp_path, ABOUT, 25)
    with pytest.raises(SourceError, match=r"made with faces = 'all'.*now it is 'none'.*another --out"):
        Shards(tmp_path, ABOUT | {"faces": "none"}, 25)
    with pytest.raises(SourceError, match="the source has changed"):
        Shards(tmp_path, ABOUT | {"source": "abd"}, 25)
    (tmp_path / MANIFEST).unlink()
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(SourceError, match="not empty"):
        Shards(tmp_path, ABOUT, 25)


def test_a_full_disk_is_said_and_what_is_done_is_kept(tmp_path, monkeypatch):
    shards = Shards(tmp_path, ABOUT, 20, shard_rows=10)
    written = shards.write(rows(start, 10) for start in (0, 10))
    assert next(written) == 10

    def full(table, path, **options):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet, "write_table", full)
    with pytest.raises(SourceError, match=r"No space left on device.*run the same command again"):
        next(written)
    monkeypatch.undo()
    assert sorted(file.name for file in tmp_path.iterdir()) == [MANIFEST, "part-00000.parquet"]
    again = Shards(tmp_path, ABOUT, 20, shard_rows=10)
    list(again.write([rows(10, 10)]))
    assert keys(tmp_path) == [str(n) for n in range(20)]
