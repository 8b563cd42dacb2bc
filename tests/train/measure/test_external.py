"""Photos of another dataset: bins, who serves for choosing, and a folder that is not as it should be."""

import dataclasses

import numpy as np
import pytest

from train.measure.external import Labels, distance_to_bin, figures_of_photos, measure_external, read_labels
from train.measure.outputs import Raw, RawOutputs

DECISION = {"decision": {"male_below": 0.45, "female_above": 0.55}}


def labels(n=40):
    low = np.repeat([50.0, 20.0], n // 2)
    return Labels(np.array([f"{i:03d}.jpg" for i in range(n)]), low, low + 9, np.arange(n) % 2 == 1)


def test_a_bin_holds_ages_up_to_but_not_including_the_next():
    one = dataclasses.replace(labels(4), low=np.full(4, 50.0), high=np.full(4, 59.0))
    assert distance_to_bin(np.array([50.0, 59.99, 60.0, 47.5]), one).tolist() == [0, 0, 1, 2.5]


def test_the_first_eight_of_each_age_and_gender_serve_for_choosing():
    chosen = labels(40).choosing
    assert chosen.sum() == 4 * 8
    assert chosen[:16].all()
    assert not chosen[16:20].any()


def test_figures_are_over_answered_photos_and_misses_are_counted():
    made = labels(40)
    age = np.where(np.arange(40) == 0, np.nan, made.low + 5)
    female = np.where(made.female, 0.9, 0.5)
    raw = Raw(age, female, np.full((40, 117), np.nan), np.ones(40), np.ones(40), np.zeros((40, 12)))
    figures = figures_of_photos(raw, made, DECISION, np.ones(40, bool))
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
    name, section = measure_external(RawOutputs(root / "hf_model", None), folder)
    assert name == "photos"
    assert section["missed"] == {"value": 1, "n": 2}
    assert section["bin_distance"]["n"] == 1


def test_a_folder_without_labels_or_a_column_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"labels\.csv is missing"):
        read_labels(tmp_path)
    (tmp_path / "labels.csv").write_text("file,gender\na.jpg,1\n")
    with pytest.raises(ValueError, match="no column 'age'"):
        read_labels(tmp_path)
    (tmp_path / "labels.csv").write_text("file,age,gender\na.jpg,30,female\n")
    with pytest.raises(ValueError, match=r"'a\.jpg' is neither 0 \(male\) nor 1"):
        read_labels(tmp_path)
