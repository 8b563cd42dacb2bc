import io
import os
import pathlib
import tarfile
import zipfile

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from hf_model.bulk import sources
from hf_model.bulk.locations import Reach
from hf_model.bulk.sources import SourceError
from hf_model.console import unquoted
from hf_model.pictures.images import read_image
from hf_model.pictures.inputs import InvalidImageError
from tests.support import jpeg_bytes

FORMATS = ("JPEG", "PNG")


def list_source(name: str, *arguments, **options):
    return sources.list_source(name, *arguments, formats=FORMATS, **options)


def fetch(source, row: int, **reach):
    return sources.fetch(source.kind, source.column, source.rows[row], Reach(source.roots, **reach))


def seen(source):
    """The keys of a source, and the mean colour of each picture as a test that it is the right one."""
    found = {}
    for number, row in enumerate(source.rows):
        value = fetch(source, number)
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
    (tmp_path / "a.parquet").unlink()
    (tmp_path / "broken.tar").write_bytes(b"x" * 2000)
    with pytest.raises(SourceError, match="tar file"):
        list_source(str(tmp_path / "broken.tar"))
    splits = datasets.DatasetDict({name: datasets.Dataset.from_dict({"image": ["a"]}) for name in ("train", "test")})
    splits.save_to_disk(tmp_path / "two")
    with pytest.raises(SourceError, match="has the splits train, test"):
        list_source(str(tmp_path / "two"))
    assert len(list_source(str(tmp_path / "two"), split="test").rows) == 1
    with pytest.raises(SourceError, match=r"has no split 'valid'; it has the splits train, test\. Pass --split"):
        list_source(str(tmp_path / "two"), split="valid")
    datasets.Dataset.from_dict({"image": ["a"]}).save_to_disk(tmp_path / "one")
    with pytest.raises(SourceError, match="has no splits, so that --split valid means nothing"):
        list_source(str(tmp_path / "one"), split="valid")


def test_a_row_that_holds_no_picture_is_named(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"image": [None, "there.jpg"]}), tmp_path / "a.parquet")
    source = list_source(str(tmp_path))
    with pytest.raises(SourceError, match=r"a\.parquet:0: holds no picture"):
        fetch(source, 0)
    assert fetch(source, 1) == str(tmp_path / "there.jpg")


def test_a_table_does_not_decide_what_is_read(tmp_path):
    inside, outside = tmp_path / "source", tmp_path / "secret.jpg"
    inside.mkdir()
    outside.write_bytes(jpeg_bytes(0))
    (inside / "link.jpg").symlink_to(outside)
    places = [
        str(outside),
        "../secret.jpg",
        "link.jpg",
        "~/secret.jpg",
        "http://a.example/x.jpg",
        "file:///etc/passwd",
        "https://127.0.0.1/x.jpg",
        "https://localhost/x.jpg",
        "https://169.254.169.254/x",
        "hf://datasets/a/b/x.jpg",
        "zip://a.jpg::https://a.example/x.zip",
        f"zip://a.jpg::{outside}",
        "zip://a.jpg",
        "s3://bucket/x.jpg",
    ]
    pyarrow.parquet.write_table(pyarrow.table({"image": places}), inside / "a.parquet")
    source = list_source(str(inside), kind="parquet")
    for number, place in enumerate(places):
        with pytest.raises(InvalidImageError) as caught:
            fetch(source, number)
        if place.startswith(("https", "hf")):
            assert "nothing is fetched without --remote" in str(caught.value)
    for number, words in (
        (6, "no public address"),
        (7, "no public address"),
        (8, "no public address"),
        (13, "of a kind"),
    ):
        with pytest.raises(InvalidImageError, match=words):
            fetch(source, number, remote=True)
    anywhere = Reach(None)
    assert sources.fetch(source.kind, source.column, source.rows[0], anywhere) == str(outside)


def test_pieces_of_archives_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("deep/a.jpg", jpeg_bytes(3))
    with tarfile.open(tmp_path / "pictures.tar", "w") as archive:
        member = tarfile.TarInfo("b.jpg")
        member.size = len(jpeg_bytes(4))
        archive.addfile(member, io.BytesIO(jpeg_bytes(4)))
    places = [
        "zip://deep/a.jpg::pictures.zip",
        f"zip://deep/a.jpg::{tmp_path}/pictures.zip",
        "tar://b.jpg::pictures.tar",
        "zip://nothing.jpg::pictures.zip",
    ]
    pyarrow.parquet.write_table(pyarrow.table({"image": places}), tmp_path / "a.parquet")
    source = list_source(str(tmp_path / "a.parquet"))
    assert fetch(source, 0) == fetch(source, 1) == jpeg_bytes(3)
    assert fetch(source, 2) == jpeg_bytes(4)
    with pytest.raises(InvalidImageError, match="cannot be read"):
        fetch(source, 3)


def test_a_saved_dataset_of_archived_pictures(tmp_path):
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.jpg", jpeg_bytes(3))
    place = {"bytes": None, "path": f"zip://a.jpg::{tmp_path}/pictures.zip"}
    data = datasets.Dataset.from_dict({"image": [place]}, features=datasets.Features(image=datasets.Image()))
    data.save_to_disk(tmp_path / "saved")
    source = list_source(str(tmp_path / "saved"))
    with pytest.raises(InvalidImageError, match="--any-path"):
        fetch(source, 0)
    assert sources.fetch(source.kind, source.column, source.rows[0], Reach(None)) == jpeg_bytes(3)


def test_what_is_hidden_linked_or_of_several_kinds(tmp_path):
    for name in ("a.jpg", "._a.jpg", "in/b.jpg", ".git/c.jpg", "in/.thumbs/d.jpg", "in/e.JPG", "vector.eps"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg_bytes(1))
    (tmp_path / "in" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    source = list_source(str(tmp_path))
    assert [row["key"] for row in source.rows] == ["a.jpg", "gone.jpg", "in/b.jpg", "in/e.JPG"]
    pyarrow.parquet.write_table(pyarrow.table({"image": [jpeg_bytes(1)]}), tmp_path / "more.parquet")
    with pytest.raises(SourceError, match=r"4 pictures \('a.jpg'\), 1 parquet .* Pass --kind pictures\|parquet"):
        list_source(str(tmp_path))
    assert len(list_source(str(tmp_path), kind="parquet").rows) == 1
    assert len(list_source(str(tmp_path), kind="pictures").rows) == 4


def test_names_that_are_no_text_are_kept_reversibly(tmp_path):
    names = [b"\xff\xfe.jpg", "日本.jpg".encode(), rb"back\x41slash.jpg", b"in\xe9/a.jpg"]
    for seed, name in enumerate(names):
        path = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(jpeg_bytes(seed))
    source = list_source(str(tmp_path))
    assert pyarrow.Table.from_pylist(source.rows).num_rows == 4  # all of it is text
    assert {os.fsencode(unquoted(row["key"])) for row in source.rows} == set(names)
    for number, row in enumerate(source.rows):
        content = pathlib.Path(fetch(source, number)).read_bytes()
        assert content == jpeg_bytes(names.index(os.fsencode(unquoted(row["key"]))))
