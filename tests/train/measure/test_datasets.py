"""Faces of another dataset: bins and exact ages, groups, and a folder that is not as it should be."""

import dataclasses

import numpy as np
import pytest

from hf_model.settings import Decision
from train.measure.context import Context
from train.measure.raw.answers import Answers
from train.measure.raw.columns import distance_to_bin
from train.measure.raw.labels import Labels, read_labels
from train.measure.report.datasets import figures_by_group, figures_of_photos, run

DECISION = Decision(0.45, 0.55)


def labels(n=40):
    low = np.repeat([50.0, 20.0], n // 2)
    return Labels(np.array([f"{i:03d}.jpg" for i in range(n)]), low, low + 9, np.arange(n) % 2, np.full(n, ""))


def test_a_bin_holds_ages_up_to_but_not_including_the_next():
    one = dataclasses.replace(labels(4), low=np.full(4, 50.0), high=np.full(4, 59.0))
    assert distance_to_bin(np.array([50.0, 59.99, 60.0, 47.5]), one).tolist() == [0, 0, 1, 2.5]


def test_figures_are_over_answered_photos_and_misses_are_counted():
    made = labels(40)
    age = np.where(np.arange(40) == 0, np.nan, made.low + 5)
    female = np.where(made.female, 0.9, 0.5)
    figures = figures_of_photos(answers(made, age, female), DECISION)
    assert figures["missed"] == {"value": 1, "n": 40}
    assert figures["inside_bin"]["value"] == 1
    assert figures["inside_bin"]["n"] == 39
    assert figures["women_10plus"]["value"] == 1
    assert figures["men_10plus"]["value"] == 0  # 0.5 counts as female
    assert figures["called_wrong"]["value"] == 0  # but is not called so


def test_a_folder_is_measured_end_to_end(root, tmp_path, astronaut):
    folder = tmp_path / "photos"
    folder.mkdir()
    astronaut.save(folder / "a.jpg")
    astronaut.crop((0, 300, 200, 512)).save(folder / "b.jpg")
    (folder / "labels.csv").write_text("file,age,gender\na.jpg,38,1\nb.jpg,38,1\n")
    section = run(Context(root / "hf_model", "", tmp_path, external=(folder,)))["photos"]
    assert section["missed"] == {"value": 1, "n": 2}
    assert section["age_mae"]["n"] == section["gender"]["n"] == 1  # ages that are years are exact


def answers(made: Labels, age, female) -> Answers:
    nothing = np.full(len(age), np.nan)
    return Answers(made, age, female, nothing, nothing)


def test_exact_ages_without_genders_have_errors_and_no_genders():
    low = np.array([20.0, 30.0, 40.0, 50.0])
    made = Labels(np.arange(4).astype(str), low, low, np.full(4, -1), np.full(4, ""))
    figures = figures_of_photos(answers(made, low + np.array([2, -4, 10, np.nan]), np.full(4, 0.9)), DECISION)
    assert figures["age_mae"]["value"] == pytest.approx(16 / 3, abs=1e-3)
    assert figures["age_bias"]["value"] == pytest.approx(8 / 3, abs=1e-3)
    assert figures["age_cs5"]["value"] == pytest.approx(2 / 3, abs=1e-3)
    assert figures["age_mae"]["n"] == 3
    assert not {"gender", "bin_distance", "gender_ece"} & figures.keys()


def test_gaps_are_between_the_best_and_the_worst_race():
    n = 120
    low = np.full(n, 30.0)
    race = np.repeat(["a", "b", "c"], n // 3)
    made = Labels(np.arange(n).astype(str), low, low + 9, np.tile([0, 1], n // 2), race)
    right = np.where(race == "c", np.arange(n) % 4 != 0, True)  # a quarter wrong among the third race
    female = np.where((made.gender == 1) == right, 0.9, 0.1)
    age = low + np.where(race == "b", 14.0, 5.0)  # 5 years beyond the bin's last
    sections = figures_by_group(answers(made, age, female), DECISION)
    assert sections["gaps"]["gender_10plus"]["value"] == pytest.approx(0.25)
    assert sections["gaps"]["bin_distance"]["value"] == pytest.approx(5)
    assert sections["worst_over_mean"]["bin_distance"]["value"] == pytest.approx(3)
    assert sections["groups"]["race"]["c"]["gender_10plus"]["value"] == pytest.approx(0.75)
    assert set(sections["groups"]) == {"race", "age"}  # by race and gender there are too few


def test_chips_in_parquet_are_measured_without_the_detector(root, tmp_path, astronaut):
    import datasets

    chip = astronaut.crop((175, 60, 270, 180)).resize((200, 200))
    rows = {
        "image": [chip, chip],
        "age": ["30-39", "more than 70"],
        "gender": ["Female", "Male"],
        "race": ["White", "Black"],
    }
    split = datasets.Dataset.from_dict(
        rows,
        datasets.Features(
            {"image": datasets.Image(), **dict.fromkeys(("age", "gender", "race"), datasets.Value("string"))}
        ),
    )
    split.to_parquet(tmp_path / "validation-0.parquet")
    section = run(Context(root / "hf_model", "", tmp_path / "cache", external=(tmp_path,)))[tmp_path.name]
    assert not section["through_the_detector"]
    assert section["missed"] == {"value": 0, "n": 2}
    assert section["gender_10plus"]["value"] == 0.5
    assert section["bin_distance"]["value"] > 10


def test_a_folder_without_labels_or_a_column_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"labels\.csv is missing"):
        read_labels(tmp_path)
    (tmp_path / "labels.csv").write_text("file,gender\na.jpg,1\n")
    with pytest.raises(ValueError, match="no column 'age'"):
        read_labels(tmp_path)
    (tmp_path / "labels.csv").write_text("file,age,gender\na.jpg,30,female\n")
    with pytest.raises(ValueError, match=r"'a\.jpg' is neither 0 \(male\) nor 1"):
        read_labels(tmp_path)
