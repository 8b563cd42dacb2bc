import io
import tarfile

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from hf_model.bulk.sources import SourceError, fetch, list_source
from hf_model.pictures.images import read_image
from tests.support import jpeg_bytes


def seen(source):
    """The keys of a source, and the mean colour of each picture as a test that it is the right one."""
    found = {}
    for row in source.rows:
        value = fetch(source.kind, source.column, row)
        found[row["key"]] = read_image(value, 10**7).resize((1, 1)).getpixel((0, 0))
    return found


def colours(n):
    return [tuple(read_image(jpeg_bytes(seed), 10**7).resize((1, 1)).getpixel((0, 0))) for seed in range(n)]


def test_a_nested_folder_is_listed_in_order_and_changes_are_noticed(tmp_path):
    for seed, name in enumerate(("b/2.jpg", "a.jpg", "b/deep/1.jpg")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg_bytes(seed))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.jpg").write_bytes(b"")
    source = list_source(str(tmp_path))
    of = colours(3)
    assert seen(source) == {"a.jpg": of[1], "b/2.jpg": of[0], "b/deep/1.jpg": of[2]}
    assert list_source(str(tmp_path)).fingerprint == source.fingerprint
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(9))
    assert list_source(str(tmp_path)).fingerprint != source.fingerprint


def test_parquet_tar_and_saved_datasets_hold_the_same_pictures(tmp_path):
    pictures = [{"bytes": jpeg_bytes(seed), "path": f"{seed}.jpg"} for seed in range(5)]
    (tmp_path / "parquet").mkdir()
    for number, some in enumerate((pictures[:3], pictures[3:])):
        table = pyarrow.table({"photo": some, "n": list(range(len(some)))})
        pyarrow.parquet.write_table(table, tmp_path / "parquet" / f"{number}.parquet", row_group_size=2)
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for seed in range(5):
            for name, data in ((f"{seed}.jpg", jpeg_bytes(seed)), (f"{seed}.json", b"{}")):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    data = datasets.Dataset.from_dict({"photo": pictures}, features=datasets.Features({"photo": datasets.Image()}))
    data.save_to_disk(tmp_path / "saved")
    for name, keys in (
        ("parquet", ["0.parquet:0", "0.parquet:1", "0.parquet:2", "1.parquet:0", "1.parquet:1"]),
        ("shard.tar", [f"shard.tar/{seed}.jpg" for seed in range(5)]),
        ("saved", [f":{seed}" for seed in range(5)]),
    ):
        assert seen(list_source(str(tmp_path / name), "photo")) == dict(zip(keys, colours(5), strict=True)), name


def test_what_cannot_be_a_source_is_said(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        list_source(str(tmp_path / "missing"))
    with pytest.raises(SourceError, match="no pictures in there"):
        list_source(str(tmp_path))
    table = pyarrow.table({"photo": [b"", b""], "n": [1, 2]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"no column 'image'; there are photo, n\. Pass --column"):
        list_source(str(tmp_path))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match="not a Parquet file"):
        list_source(str(tmp_path))
    (tmp_path / "broken.tar").write_bytes(b"x" * 2000)
    with pytest.raises(SourceError, match="tar file"):
        list_source(str(tmp_path / "broken.tar"))
    splits = datasets.DatasetDict({name: datasets.Dataset.from_dict({"image": ["a"]}) for name in ("train", "test")})
    splits.save_to_disk(tmp_path / "two")
    with pytest.raises(SourceError, match="has the splits train, test"):
        list_source(str(tmp_path / "two"))
    assert len(list_source(str(tmp_path / "two"), split="test").rows) == 1


def test_a_row_that_holds_no_picture_is_named(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"image": [None, "there.jpg"]}), tmp_path / "a.parquet")
    source = list_source(str(tmp_path))
    with pytest.raises(SourceError, match=r"a\.parquet:0: holds no picture"):
        fetch(source.kind, source.column, source.rows[0])
    assert fetch(source.kind, source.column, source.rows[1]) == "there.jpg"
