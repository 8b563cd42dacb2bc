"""Further sets beside UTKFace: what their labels say, who is held out, and who is left out."""

import csv
import dataclasses
import hashlib

import datasets
import numpy as np
import pytest

from tests.support import jpeg_bytes
from train.data import Chips, Pictures, join
from train.recipe import FurtherSet, load_recipe
from train.sets import LEFT_OUT, add_sets, age_ends, load_further, read_left_out, split_name
from train.smoke import smoke_chips

BINS = ["0-2", "3-9", "10-19", "more than 70"]


def write_set(folder, n=12, **columns):
    """A folder of Parquet as FairFace is stored; gives the pictures' sha256."""
    files = [jpeg_bytes(seed, 64) for seed in range(n)]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "age": datasets.ClassLabel(names=BINS),
            "gender": datasets.ClassLabel(names=["Male", "Female"]),
            "race": datasets.ClassLabel(names=["East Asian", "Black"]),
        }
    )
    rows = {
        "image": [{"bytes": data, "path": None} for data in files],
        "age": [row % 4 for row in range(n)],
        "gender": [row % 2 for row in range(n)],
        "race": [row % 2 for row in range(n)],
        **columns,
    }
    (folder / "data").mkdir(parents=True)
    datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return [hashlib.sha256(data).hexdigest() for data in files]


def test_bins_of_a_folder_become_ages_with_two_ends(tmp_path):
    shas = write_set(tmp_path / "fairface")
    parts, fingerprint = load_further("fairface", str(tmp_path / "fairface"), tmp_path / "cache")
    chips = parts["train"]
    assert list(parts) == ["train"]
    assert len(fingerprint) == 64
    assert chips.sha256.tolist() == shas
    assert chips.age_low[:4].tolist() == [0, 3, 10, 70]
    assert chips.age_high[:4].tolist() == [2, 9, 19, 116]
    assert chips.gender[:2].tolist() == [0, 1]
    assert chips.race[:2].tolist() == ["East Asian", "Black"]
    assert chips.images[3].shape == (200, 200, 3)
    with pytest.raises(ValueError, match="known as bins"):
        chips.age  # noqa: B018


def test_held_out_faces_never_train_and_stay_the_same(tmp_path):
    shas = write_set(tmp_path / "fairface")
    parts, _ = load_further("fairface", str(tmp_path / "fairface"), tmp_path / "cache", hold_out=5)
    held, trained = (set(parts[name].sha256.tolist()) for name in ("validation", "train"))
    assert len(held) == 5
    assert held | trained == set(shas)
    assert not held & trained
    again, _ = load_further("fairface", str(tmp_path / "fairface"), tmp_path / "cache", hold_out=5)
    assert set(again["validation"].sha256.tolist()) == held
    # The pictures stay with their labels, whatever part they are in.
    whole, _ = load_further("fairface", str(tmp_path / "fairface"), tmp_path / "cache")
    at = [whole["train"].sha256.tolist().index(sha) for sha in parts["train"].sha256]
    assert np.array_equal(parts["train"].images[:], whole["train"].images[at])


def test_pictures_on_the_list_are_left_out(tmp_path):
    shas = write_set(tmp_path / "fairface")
    (tmp_path / "left_out.csv").write_text("sha256,set,file,why\n" + "".join(f"{sha},a,b,c\n" for sha in shas[:3]))
    parts, _ = load_further("fairface", str(tmp_path / "fairface"), tmp_path / "cache", 2, tmp_path / "left_out.csv")
    assert not {sha for part in parts.values() for sha in part.sha256.tolist()} & set(shas[:3])


def test_the_committed_list_names_pictures_by_sha256():
    assert len(read_left_out()) > 700
    with LEFT_OUT.open(newline="") as file:
        assert all(len(row["sha256"]) == 64 and row["why"] for row in csv.DictReader(file))


def test_ages_are_read_as_they_are_written_or_refused():
    low, high = age_ends(["34", "3-9", "more than 70", "60+", "0"], "x")
    assert low.tolist() == [34, 3, 70, 60, 0]
    assert high.tolist() == [34, 9, 116, 116, 0]
    for odd in ("old", "", "9-3", "130"):
        with pytest.raises(ValueError, match="an age is"):
            age_ends([odd], "x")


def test_sets_are_joined_by_the_names_of_the_recipe(tmp_path, capsys):
    write_set(tmp_path / "FairFace_part")
    recipe = dataclasses.replace(
        load_recipe("best"), sets={"fairface": FurtherSet(hold_out=4), "appareal": FurtherSet(times=2)}
    )
    chips, fingerprints = add_sets(*smoke_chips(6), [str(tmp_path / "FairFace_part")], recipe, tmp_path / "cache")
    assert [len(chips[name]) for name in ("train", "validation", "test")] == [6 + 8, 6 + 4, 6]
    assert list(chips["train"].by_source()) == ["utkface", "fairface"]
    assert "fairface" in fingerprints
    assert "appareal too" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"takes no set 'other'.*NAME=PLACE"):
        split_name(str(tmp_path / "other"), recipe)
    assert split_name(f"appareal={tmp_path}/x", recipe) == ("appareal", f"{tmp_path}/x")
    assert split_name("HuggingFaceM4/FairFace@0.25", recipe) == ("fairface", "HuggingFaceM4/FairFace@0.25")


@pytest.mark.parametrize(("place", "says"), [("nowhere", "neither a folder nor"), ("empty", "holds Parquet")])
def test_a_place_without_a_set_is_told(tmp_path, place, says):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=says):
        load_further("fairface", str(tmp_path / place) if place == "empty" else place, tmp_path)


def test_pictures_of_several_arrays_read_as_one():
    arrays = [np.full((n, 2, 2, 3), n, np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None] for n in (3, 5)]
    pictures, whole = Pictures(arrays), np.concatenate(arrays)
    rows = np.array([7, 0, 3, 3, 2])
    assert np.array_equal(pictures[rows], whole[rows])
    assert np.array_equal(pictures[2:6], whole[2:6])
    assert np.array_equal(pictures[4], whole[4])
    assert np.array_equal(pictures.choose(rows)[1:3], whole[rows][1:3])
    assert np.array_equal(np.stack(list(pictures)), whole)


def test_joined_chips_keep_rows_together():
    one, other = (smoke_chips(4, seed)[0]["train"] for seed in (0, 1))
    both = join([one.take([3, 1]), join([other, one]).take([5, 0])])
    assert isinstance(both, Chips)
    assert both.age_low.tolist() == [one.age[3], one.age[1], one.age[1], other.age[0]]
    assert np.array_equal(both.images[:], np.stack([one.images[3], one.images[1], one.images[1], other.images[0]]))
