"""A dataset labelled on Ray: every row once, whatever is in it."""

import json
import os
import subprocess
import sys

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from hf_model.bulk.labelling import label_dataset
from hf_model.bulk.run import run
from hf_model.console import unquoted
from tests.hf_model.test_safe_reader import DEADLY


@pytest.fixture(scope="module")
def photos(astronaut, tmp_path_factory):
    """Fifty pictures: the astronaut, one without a face, one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(48):
        astronaut.crop((number, 0, 400 + number, 400)).save(folder / f"{number:02d}.jpg", quality=90)
    astronaut.crop((0, 300, 200, 512)).save(folder / "x_no_face.jpg")
    (folder / "y_text.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def once(root, photos, tmp_path_factory):
    """The shards of an unbroken run, and its summary."""
    out = tmp_path_factory.mktemp("once") / "out"
    return out, run(str(photos), out, model=str(root / "hf_model"), workers=2, shard_rows=16)


def rows_of(folder):
    return [row for file in sorted(folder.glob("*.parquet")) for row in pyarrow.parquet.read_table(file).to_pylist()]


def test_every_picture_is_a_row_and_says_what_the_predictor_says(once, photos, predictor):
    out, result = once
    rows = rows_of(out)
    names = sorted(path.name for path in photos.iterdir())
    assert [row["key"] for row in rows] == names
    for row in rows:
        if row["key"] == "y_text.jpg":
            assert row["error"] == "not a picture in a known format"
            assert row["faces"] == []
            continue
        assert row["error"] is None
        expected = [face.to_dict() for face in predictor(photos / row["key"], faces="all")]
        assert len(row["faces"]) == len(expected)
        for face, other in zip(row["faces"], expected, strict=True):
            assert face["box"] == other["box"]
            assert face["age"] == pytest.approx(other["age"], abs=0.5)  # "auto" may compute in bfloat16
            assert face["quality"]["face_size"] == pytest.approx(other["quality"]["face_size"], rel=0.01)
    assert (result["pictures"], result["without_face"]) == (50, 1)
    assert result["unusable"] == {"not a picture in a known format": 1}
    loaded = datasets.load_dataset("parquet", data_files=str(out / "*.parquet"), split="train")
    assert loaded["key"][:] == names


def test_run_again_it_does_nothing_and_broken_off_it_goes_on(once, photos, root, tmp_path):
    out, _ = once
    again = run(str(photos), out, model=str(root / "hf_model"), workers=2, shard_rows=16)
    assert again["done_before"] == 50
    assert again["pictures_per_second"] is None
    broken = tmp_path / "broken"
    broken.mkdir()
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["shards"] = manifest["shards"][:1]
    (broken / "manifest.json").write_text(json.dumps(manifest))
    (broken / "part-00000.parquet").write_bytes((out / "part-00000.parquet").read_bytes())
    (broken / "part-00001.parquet").write_bytes(b"left by a kill between two renames")
    went_on = run(str(photos), broken, model=str(root / "hf_model"), workers=2, shard_rows=16)
    assert went_on["done_before"] == 16
    for one, other in zip(rows_of(broken), rows_of(out), strict=True):
        assert one["key"] == other["key"]
        for face, same in zip(one["faces"], other["faces"], strict=True):
            assert face["age"] == pytest.approx(same["age"], abs=1e-3)
            assert face["box"] == same["box"]


def test_deadly_pictures_are_rows_with_errors(astronaut, root, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "exits.png", "m.png", "z.png"):
        astronaut.resize((300, 300)).save(photos / name)
    deadly = tmp_path / "deadly.py"
    deadly.write_text(DEADLY.format(root=str(root)))
    run(str(photos), tmp_path / "out", model=str(root / "hf_model"), workers=1, reader=str(deadly))
    rows = {row["key"]: row for row in rows_of(tmp_path / "out")}
    assert "crashes its decoder" in rows["exits.png"]["error"]
    assert all(len(rows[name]["faces"]) == 1 for name in ("a.png", "m.png", "z.png"))


def test_the_command_line_says_what_is_wrong(root, tmp_path):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "hf_model.bulk", *map(str, arguments)],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )

    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, reason in (
        ((empty, "--out", tmp_path / "out"), "no pictures in there"),
        ((tmp_path / "nowhere", "--out", tmp_path / "out"), "no such file or folder"),
        ((tmp_path, "--out", tmp_path / "out"), "no pictures"),
    ):
        result = command(*arguments)
        assert result.returncode == 2
        assert reason in result.stderr
        assert "Traceback" not in result.stderr


def test_the_command_line_labels_and_reports(root, photos, tmp_path):
    (tmp_path / "few").mkdir()
    for name in ("00.jpg", "x_no_face.jpg", "y_text.jpg"):
        (tmp_path / "few" / name).write_bytes((photos / name).read_bytes())
    page = tmp_path / "who.md"
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "hf_model.bulk",
            str(tmp_path / "few"),
            "--out",
            str(tmp_path / "out"),
            "--workers",
            "1",
            "--report",
            str(page),
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert "3 pictures with 1 faces" in result.stdout
    assert "1 × not a picture in a known format" in result.stdout
    assert "3 pictures, 1 faces" in page.read_text()


def test_a_dataset_gets_two_columns(astronaut, predictor, tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    astronaut.save(tmp_path / "good.png")
    features = datasets.Features({"image": datasets.Image(), "n": datasets.Value("int32")})
    data = datasets.Dataset.from_dict(
        {"image": [str(tmp_path / "bad.jpg"), str(tmp_path / "good.png")], "n": [1, 2]}, features=features
    )
    for labelled in (label_dataset(data, predictor), label_dataset(data.to_iterable_dataset(), predictor)):
        plain = labelled.cast_column("image", datasets.Image(decode=False))
        bad, good = list(plain)
        assert bad["faces"] == []
        assert "not a picture" in bad["error"]
        assert good["error"] is None
        assert good["faces"][0]["age"] == pytest.approx(predictor(astronaut)[0].age, abs=0.01)
        assert good["n"] == 2
        assert isinstance(labelled.features["image"], datasets.Image)
    with pytest.raises(ValueError, match="no column 'photo'; there are image, n"):
        label_dataset(data, predictor, column="photo")


def bulk(root, *arguments, **environment):
    command = [sys.executable, "-m", "hf_model.bulk", *map(str, arguments)]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_a_run_in_which_nothing_could_be_read_exits_2_with_the_reason(root, tmp_path):
    places = ["zip://a.jpg::nowhere.zip", "https://a.example/x.jpg", "https://a.example/y.jpg"]
    (tmp_path / "source").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"image": places}), tmp_path / "source" / "a.parquet")
    result = bulk(root, tmp_path / "source", "--out", tmp_path / "out", "--workers", 1)
    assert result.returncode == 2
    assert (
        "None of the 3 pictures could be used; most often: lies elsewhere, and nothing is fetched without --remote"
        in result.stderr
    )
    assert len(rows_of(tmp_path / "out")) == 3
    assert "Traceback" not in result.stderr


def test_a_folder_for_temporary_files_that_is_too_deep_for_ray_is_told(root, photos, tmp_path):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    result = bulk(root, photos, "--out", tmp_path / "out", "--workers", 1, TMPDIR=str(deep), RAY_TMPDIR=str(deep))
    assert result.returncode == 2
    assert (
        result.stderr.strip().splitlines()[-1]
        == f"Ray cannot start: {deep} is too long a path for its sockets. Set TMPDIR=/tmp."
    )


def test_names_that_are_no_text_are_rows(root, astronaut, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    with open(os.path.join(os.fsencode(source), b"a\xff.png"), "wb") as file:
        astronaut.save(file, "PNG")
    result = bulk(root, source, "--out", tmp_path / "out", "--workers", 1)
    assert result.returncode == 0, result.stderr
    (row,) = rows_of(tmp_path / "out")
    assert os.fsencode(unquoted(row["key"])) == b"a\xff.png"
    assert len(row["faces"]) == 1
