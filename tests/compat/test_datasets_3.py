"""The script in datasets 3.x, through ``load_dataset`` itself; run by `make test-compat`."""

import datasets
import pytest

if int(datasets.__version__.split(".")[0]) > 3:
    pytest.skip("datasets 4 and later refuse loading scripts: make test-compat", allow_module_level=True)


@pytest.fixture
def load(root, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", tmp_path / "modules")

    def load(*args, **options):
        script = str(root / "dataset_script" / "utkface.py")
        return datasets.load_dataset(
            script, *args, cache_dir=str(tmp_path / "cache"), trust_remote_code=True, **options
        )

    return load


@pytest.fixture
def folder(make_utkface):
    return make_utkface({f"{20 + i}_{i % 2}_{i % 5}_20170101{i:09d}.jpg.chip.jpg": i for i in range(40)})


def test_load_dataset_takes_the_script_and_finds_the_manifest(load, folder):
    loaded = load(data_dir=str(folder))
    assert {"train", "validation", "test"} >= set(loaded)
    rows = [row for split in loaded.values() for row in split]
    assert sorted(row["age"] for row in rows) == list(range(20, 60))
    assert loaded["train"].features["gender"].names == ["male", "female"]
    assert rows[0]["image"].size == (64, 64)


def test_streaming_gives_the_same_rows_in_the_same_splits(load, folder):
    built = {(name, row["file_name"]) for name, split in load(data_dir=str(folder)).items() for row in split}
    stream = load(data_dir=str(folder), streaming=True)
    assert {(name, row["file_name"]) for name, split in stream.items() for row in split} == built


def test_both_worlds_agree_on_the_splits(load, folder):
    from dataset_script.utkface import index_files

    expected = {(record.split, record.file_name) for record in index_files([str(folder)], {})[0]}
    assert {(name, row["file_name"]) for name, split in load(data_dir=str(folder)).items() for row in split} == expected


def test_a_missing_data_dir_says_what_to_pass(load):
    with pytest.raises(Exception, match="data_dir") as caught:
        load()
    assert "susanqq.github.io" in str(caught.value) or "susanqq.github.io" in str(caught.value.__cause__)


def test_the_other_configuration_loads_too(load, make_utkface):
    folder = make_utkface({"30_1_0_20170101000000000.jpg": 1, "31_1_0_20170101000000000.jpg.chip.jpg": 2}, "wild")
    (split,) = load("in_the_wild", data_dir=str(folder)).values()
    assert split["age"] == [30]
