import collections
import datetime
import io
import random
import shutil
import tarfile
import zipfile

import PIL.Image
import pytest

from dataset_script import utkface
from dataset_script.utkface import UTKFace, index_files
from tests.support import jpeg_bytes


def chip_name(age=30, gender=0, race=0, serial=0):
    return f"{age}_{gender}_{race}_20170101{serial:09d}.jpg.chip.jpg"


@pytest.fixture
def build(tmp_path):
    def build(data_dir, **options):
        builder = UTKFace(data_dir=str(data_dir), cache_dir=str(tmp_path / "cache"), **options)
        builder.download_and_prepare()
        return builder

    return build


def rows(builder):
    return [row for split in builder.as_dataset().values() for row in split]


@pytest.fixture
def thirty(make_utkface):
    return make_utkface({chip_name(20 + i, i % 2, i % 5, i): i for i in range(30)})


def test_every_feature_of_a_chip(build, make_utkface):
    name = "26_1_3_20170116184512123.jpg.chip.jpg"
    (row,) = rows(build(make_utkface({name: 1})))
    assert row["age"] == 26
    assert row["gender"] == 1
    assert row["race"] == 3
    assert row["captured_at"] == datetime.datetime(2017, 1, 16, 18, 45, 12, 123000)
    assert row["file_name"] == name
    assert row["sha256"] == row["duplicate_group"]
    assert row["image"].size == (64, 64)


def test_label_names_are_those_of_utkface(build, thirty):
    features = build(thirty).info.features
    assert features["gender"].names == ["male", "female"]
    assert features["race"].names == ["white", "black", "asian", "indian", "others"]


def test_folder_nested_folder_and_archives_give_the_same_rows(build, thirty, tmp_path):
    nested = tmp_path / "nested"
    for number, path in enumerate(sorted(thirty.iterdir())):
        target = nested / f"part{number % 3}"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    archives = tmp_path / "archives"
    archives.mkdir()
    with tarfile.open(archives / "a.tar.gz", "w:gz") as archive:
        for path in sorted(thirty.iterdir())[:10]:
            archive.add(path, f"UTKFace/{path.name}")
    with tarfile.open(archives / "b.tar", "w") as archive:
        for path in sorted(thirty.iterdir())[10:20]:
            archive.add(path, path.name)
    with zipfile.ZipFile(archives / "c.zip", "w") as archive:
        for path in sorted(thirty.iterdir())[20:]:
            archive.write(path, f"x/{path.name}")

    def content(builder):
        return {
            (name, row["file_name"], row["sha256"]) for name, split in builder.as_dataset().items() for row in split
        }

    expected = content(build(thirty))
    assert len(expected) == 30
    assert content(build(nested)) == content(build(archives)) == expected
    listed = UTKFace(data_files=[str(path) for path in archives.iterdir()], cache_dir=str(tmp_path / "cache2"))
    listed.download_and_prepare()
    assert content(listed) == expected


def test_a_stream_has_the_rows_of_the_build(build, thirty):
    builder = build(thirty)
    built = {(name, row["file_name"]) for name, split in builder.as_dataset().items() for row in split}
    stream = builder.as_streaming_dataset()
    streamed = {(name, row["file_name"]) for name, split in stream.items() for row in split}
    assert streamed == built
    assert next(iter(stream["train"]))["image"].size == (64, 64)


def test_one_good_and_twelve_broken_files_build_one_example_and_list_twelve_reasons(build, make_utkface):
    good = jpeg_bytes(1)
    png = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(png, "PNG")
    folder = make_utkface(
        {
            chip_name(serial=1): good,
            "readme.txt": b"hello",
            "39_1_20170116174525125.jpg.chip.jpg": 2,
            "117_0_0_20170101000000000.jpg.chip.jpg": 3,
            "x_0_0_20170101000000000.jpg.chip.jpg": 4,
            "30_7_0_20170101000000000.jpg.chip.jpg": 5,
            "30_0_9_20170101000000000.jpg.chip.jpg": 6,
            chip_name(serial=2): b"",
            chip_name(serial=3): good[:300],  # cut inside the header
            chip_name(serial=4): b"not a picture",
            chip_name(serial=5): png.getvalue(),
            chip_name(serial=6): good[:-100],  # cut inside the picture
            "30_0_0_20170101000000000.jpg": 7,
        }
    )
    builder = build(folder)
    assert len(rows(builder)) == 1
    assert len(builder.skipped) == 12
    reasons = collections.Counter(item.reason for item in builder.skipped)
    assert reasons == {
        "unexpected_name": 2,
        "missing_field": 1,
        "age_out_of_range": 2,
        "unknown_gender": 1,
        "unknown_race": 1,
        "empty_file": 1,
        "truncated_image": 1,
        "undecodable_image": 2,
        "not_a_jpeg": 1,
    }
    table = utkface.report([None], builder.skipped)
    assert "1 examples from 13 files" in table
    assert all(reason in table for reason in reasons)


def test_missing_empty_and_hopeless_folders_say_where_utkface_comes_from(build, tmp_path, make_utkface):
    (tmp_path / "empty").mkdir()
    cases = [
        (tmp_path / "nowhere", FileNotFoundError, "does not exist"),
        (tmp_path / "empty", FileNotFoundError, "no file"),
        (make_utkface({"a.txt": b"x"}, "texts"), ValueError, "no usable file"),
    ]
    for folder, kind, text in cases:
        with pytest.raises(kind, match=text) as caught:
            build(folder)
        assert "susanqq.github.io" in str(caught.value)
        assert "data_dir" in str(caught.value)
    with pytest.raises(ValueError, match="data_dir is missing"):
        UTKFace(cache_dir=str(tmp_path / "cache")).download_and_prepare()


def test_a_broken_archive_is_an_error_and_not_half_a_dataset(build, thirty, tmp_path):
    archive = tmp_path / "cut.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(thirty, "UTKFace")
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(OSError, match=r"cut\.tar\.gz.*broken"):
        build(archive)


def duplicated():
    """Ten pictures, each under several names; in three the names disagree on age or gender."""
    files = {}
    for seed in range(10):
        for copy in range(3):
            age = 20 + seed + (copy if seed == 0 else 0)
            gender = int(seed == 1 and copy == 2)
            race = int(copy == 1 and seed == 2)  # races may disagree
            files[chip_name(age, gender, race, 10 * seed + copy)] = seed
    return files


def test_copies_of_a_picture_share_a_split_and_conflicts_are_left_out(build, make_utkface):
    builder = build(make_utkface(duplicated()))
    splits = collections.defaultdict(set)
    count = 0
    for name, split in builder.as_dataset().items():
        for row in split:
            splits[row["sha256"]].add(name)
            count += 1
    assert count == 24  # seeds 0 and 1 are out
    assert all(len(names) == 1 for names in splits.values())
    assert [item.reason for item in builder.skipped] == ["label_conflict"] * 6


def test_conflicts_can_be_kept_in_train_only(build, make_utkface):
    folder = make_utkface(duplicated())
    kept = build(folder, label_conflicts="keep").as_dataset()
    conflicting = {"20_0_0", "21_0_0", "22_0_0", "21_1_0"}
    for name in {"validation", "test"} & set(kept):
        assert not [row for row in kept[name] if row["file_name"][:6] in conflicting]
    assert sum(map(len, kept.values())) >= 24
    with pytest.raises(ValueError, match="label_conflicts='maybe'"):
        build(folder, label_conflicts="maybe")


def in_train(labels, sha256):
    """Records of one group, in train whatever its id says."""
    group = next(f"g{i}" for i in range(1000) if utkface.split_of(f"g{i}") == "train")
    return [
        utkface.Record(utkface.Source(f"{name}.jpg"), utkface.Labels(age, gender, "white", None), sha, group, True)
        for name, (age, gender), sha in zip("abcdef", labels, sha256, strict=False)
    ]


def test_of_copies_that_disagree_one_serves_with_the_mean_age_and_the_gender_they_agree_on():
    agreed = in_train([(20, "male"), (25, "male"), (31, "male")], ["3", "1", "2"])
    ((source, record),) = utkface.settle_conflicts(agreed).items()
    assert source == agreed[1].source  # the smallest sha256, whatever the order of the files
    assert (record.labels.age, record.labels.gender) == (25, "male")
    (record,) = utkface.settle_conflicts(in_train([(20, "male"), (20, "female")], ["1", "2"])).values()
    assert (record.labels.age, record.labels.gender) == (20, None)


def test_a_gender_that_copies_disagree_on_is_no_label(build, make_utkface):
    folder = make_utkface(duplicated())
    builder = build(folder, label_conflicts="keep")
    kept = builder.as_dataset()
    unknown = {row["duplicate_group"] for split in kept.values() for row in split if row["gender"] == -1}
    # Of the made-up pictures only that of seed 1 has copies of both genders; its group may lie in any split.
    copies = utkface.index_files([str(folder)], {})[0]
    (group,) = {
        record.duplicate_group for record in copies if record.labels.age == 21 and record.labels.gender == "female"
    }
    assert unknown == ({group} if utkface.split_of(group) == "train" else set())
    assert all(row["gender"] in (0, 1) for split in build(folder).as_dataset().values() for row in split)


def test_near_duplicates_of_the_manifest_share_a_group(make_utkface):
    folder = make_utkface({chip_name(30, 0, 0, i): i for i in range(4)})
    records, _ = index_files([str(folder)], {})
    shas = [record.sha256 for record in records]
    manifest = {shas[0]: (min(shas[:2]), False), shas[1]: (min(shas[:2]), False), shas[2]: (shas[2], True)}
    grouped, _ = index_files([str(folder)], manifest)
    assert grouped[0].duplicate_group == grouped[1].duplicate_group == min(shas[:2])
    assert [record.label_conflict for record in grouped] == [False, False, True, False]


def test_a_changed_folder_is_built_anew(build, make_utkface):
    folder = make_utkface({chip_name(serial=1): 1})
    assert len(rows(build(folder))) == 1
    make_utkface({chip_name(serial=2): 2})
    assert len(rows(build(folder))) == 2


def split_by_sha(records, key):
    return {record.sha256: utkface.split_of(key(record)) for record in records}


def across_splits(records, manifest, key):
    """How many groups have files in more than one split."""
    splits = collections.defaultdict(set)
    for record in records:
        if not record.label_conflict:
            splits[manifest.get(record.sha256, (record.sha256, 0))[0]].add(utkface.split_of(key(record)))
    return sum(len(names) > 1 for names in splits.values())


@pytest.fixture(scope="module")
def real(utkface_dir, root):
    """The real files, indexed: manifest, records, skipped."""
    manifest = utkface.read_manifest(root / "dataset_script" / utkface.MANIFEST)
    return manifest, *index_files([str(utkface_dir)], manifest, check_images=False)


@pytest.mark.utkface
def test_the_real_utkface_splits_without_leaks(real):
    manifest, records, skipped = real
    assert len(records) + len(skipped) == 21811
    assert [item.reason for item in skipped] == ["missing_field"] * 3
    assert across_splits(records, manifest, lambda record: record.duplicate_group) == 0
    # The check can fail: without grouping, pictures do fall apart.
    assert across_splits(records, manifest, lambda record: record.sha256) > 20
    # Half of the files missing moves none of the others.
    some = random.Random(0).sample(records, len(records) // 2)
    whole = split_by_sha(records, lambda record: record.duplicate_group)
    alone = {r.sha256: utkface.split_of(manifest.get(r.sha256, (r.sha256, 0))[0]) for r in some}
    assert all(whole[sha] == split for sha, split in alone.items())


@pytest.mark.utkface
def test_the_real_splits_are_alike_in_age_and_gender(real):
    from train.curate.dataset_card import largest_difference

    records = [record for record in real[1] if not record.label_conflict]
    assert largest_difference([record.labels for record in records], [record.split for record in records]) <= 0.015


@pytest.mark.utkface
def test_the_committed_dataset_card_is_what_the_real_files_give(real, root):
    from train.curate.dataset_card import render

    _, records, skipped = real
    assert (root / "dataset_script" / "README.md").read_text(encoding="utf-8") == render(records, skipped)


def test_the_list_of_skipped_files_is_there_after_a_cached_build_too(build, make_utkface):
    folder = make_utkface({chip_name(serial=1): 1, chip_name(serial=2): b""})
    assert [item.reason for item in build(folder).skipped] == ["empty_file"]
    assert [item.reason for item in build(folder).skipped] == ["empty_file"]


def test_parquet_is_read_by_load_dataset_without_custom_code(build, thirty, tmp_path):
    import datasets

    from train.curate.build_dataset import write_parquet

    builder = build(thirty)
    write_parquet(builder, tmp_path / "utkface")
    loaded = datasets.load_dataset(str(tmp_path / "utkface"), cache_dir=str(tmp_path / "cache3"))
    assert {name: split.num_rows for name, split in loaded.items()} == {
        name: split.num_rows for name, split in builder.as_dataset().items()
    }
    assert loaded["train"].features == builder.info.features
    original = {row["sha256"]: row for row in builder.as_dataset()["train"]}
    for row in loaded["train"]:
        assert row["age"] == original[row["sha256"]]["age"]
        assert row["image"].tobytes() == original[row["sha256"]]["image"].tobytes()
    assert (tmp_path / "utkface" / "skipped.csv").read_text() == "file_name,reason,detail\n"


def test_the_dataset_card_counts_what_is_there(make_utkface):
    from train.curate.dataset_card import findings, render

    folder = make_utkface(duplicated())
    records, skipped = index_files([str(folder)], {})
    found = findings(records, skipped)
    assert found["groups of byte-identical files"] == 10
    assert found["files in them"] == 30
    assert found["of these groups, ages disagree"] == 1
    assert found["of these groups, genders disagree"] == 1
    assert found["files left out for conflicting labels"] == 6
    assert "| train |" in render(records, skipped)


def test_a_relative_folder_is_that_of_the_time_it_is_given(build, make_utkface, tmp_path, monkeypatch):
    folder = make_utkface({"20_0_0_20170101000000000.jpg.chip.jpg": 1})
    monkeypatch.chdir(folder.parent)
    builder = UTKFace(data_dir=folder.name, cache_dir=str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(folder.parent))
    at_home = UTKFace(data_dir=f"~/{folder.name}", cache_dir=str(tmp_path / "home"))
    monkeypatch.chdir("/")
    for one in (builder, at_home):
        one.download_and_prepare()
        assert sum(split.num_rows for split in one.as_dataset().values()) == 1
