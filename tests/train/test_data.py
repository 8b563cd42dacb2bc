"""Chips come the same from UTKFace's files, from the Parquet made of them, and from the repo that it was pushed to."""

import functools

import numpy as np
import pytest

from tests.support import jpeg_bytes
from train.curate.build_dataset import main as build
from train.data import load_chips


@pytest.fixture
def files(make_utkface):
    names = [f"{5 + 2 * n}_{n % 2}_{n % 5}_20170101{n:09d}.jpg.chip.jpg" for n in range(40)]
    return make_utkface({name: jpeg_bytes(seed, 200) for seed, name in enumerate(names)})


def check_same(one, other):
    (chips, fingerprints), (others, other_fingerprints) = one, other
    assert fingerprints == other_fingerprints
    for split in chips:
        for field in ("images", "age_low", "age_high", "gender", "race", "source", "sha256", "duplicate_group"):
            assert np.array_equal(getattr(chips[split], field), getattr(others[split], field)), (split, field)


def test_parquet_in_a_folder_and_in_a_repo_gives_the_same_chips(files, tmp_path, hub, api, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    plain = load_chips(str(files), tmp_path / "cache")
    build(["--data", str(files), "--out", str(tmp_path / "built")])
    check_same(plain, load_chips(str(tmp_path / "built"), tmp_path / "cache2"))
    content = {
        path.relative_to(tmp_path / "built").as_posix(): path.read_bytes()
        for path in (tmp_path / "built").rglob("*")
        if path.is_file()
    }
    hub.put("dataset", "user/utkface", content)
    # The real client, told where the local Hub is: the default address is read when huggingface_hub is imported.
    pull = functools.partial(api.snapshot_download, cache_dir=tmp_path / "hub")
    monkeypatch.setattr("train.data.huggingface_hub.snapshot_download", pull)
    check_same(plain, load_chips("user/utkface", tmp_path / "cache3"))
    (path,) = (tmp_path / "built" / "data").glob("test-*.parquet")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no Parquet of the split test"):
        load_chips(str(tmp_path / "built"), tmp_path / "cache4")
