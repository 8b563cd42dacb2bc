"""Figures of the faces that may be shown, of this model or of a stranger's command; and what auditors ask for."""

import json
import sys

import numpy as np
import pytest

from benchmarks import open_faces as benchmark
from train.measure.raw.answers import Answers
from train.measure.raw.labels import Labels
from train.measure.raw.open_faces import OpenFaces, figures, pairs
from train.measure.report import audit

TOY = """
import json, sys
for number, name in enumerate(sys.stdin.read().split()):
    if number % 10 == 3:
        continue  # no face
    print(json.dumps({"image": name, "age": 30 if number % 10 != 4 else None, "female_probability": 0.9}))
"""


@pytest.fixture(scope="module")
def faces():
    return OpenFaces.load()


def test_the_set_is_whole(faces):
    assert len(faces.path) == 204
    assert all(path.is_file() for path in faces.path)
    assert np.bincount(faces.person).tolist() == [2] * 102
    assert faces.smiles.sum() == 102
    assert np.isnan(faces.age).sum() == 4
    assert faces.female[~faces.smiles].sum() == 49


def test_perfect_answers_have_no_error_and_intervals_are_over_people(faces):
    age = np.where(np.isnan(faces.age), 30, faces.age)
    told = figures(faces, age, faces.female.astype(float), np.stack([age - 1, age + 1], axis=1))
    overall = told["overall"]
    assert (overall["age_mae"]["value"], overall["gender"]["value"], told["missed"]) == (0, 1, 0)
    assert overall["age_interval_coverage"]["value"] == 1
    assert overall["age_mae"]["n"] == 102
    assert told["pairs"]["age_moves"]["value"] == 0
    assert set(told["groups"]["ethnicity"]) == {"white", "black", "west_asian", "east_asian"}


def test_bias_by_group_is_seen(faces):
    age = np.where(np.isnan(faces.age), 30, faces.age) + np.where(faces.female, 4.0, -1.0)
    told = figures(faces, age, np.full(204, 0.9))["groups"]["gender"]
    assert told["women"]["age_bias"]["value"] == pytest.approx(4)
    assert told["men"]["age_bias"]["value"] == pytest.approx(-1)
    assert (told["women"]["gender"]["value"], told["men"]["gender"]["value"]) == (1, 0)


def test_pairs_move_and_change():
    told = pairs(np.array([0, 0, 1, 1, 2]), np.array([20.0, 26, 40, 40, 50]), np.array([0.4, 0.6, 0.9, 0.8, 0.1]))
    assert told["age_moves"]["value"] == 3
    assert told["gender_changes"]["value"] == 0.5
    assert told["age_moves"]["n"] == 2


def test_a_strangers_command_is_measured_and_stands_beside_others(faces, tmp_path, capsys):
    (tmp_path / "toy.py").write_text(TOY)
    out = tmp_path / "table.json"
    out.write_text(json.dumps({"other": {}}))
    command = f"{sys.executable} {tmp_path / 'toy.py'}"
    benchmark.main(["--name", "toy", "--predict", command, "--out", str(out)])
    told = json.loads(out.read_text())
    assert set(told) == {"other", "toy"}
    assert told["toy"]["missed"] == 41
    expected = np.nanmean(np.abs(30 - faces.age)[[n for n in range(204) if n % 10 not in (3, 4)]])
    assert told["toy"]["overall"]["age_mae"]["value"] == pytest.approx(expected, abs=1e-3)
    assert '"missed": 41' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('hello')", "Line 1 of what .* prints is 'hello'"),
        ('print(\'{"image": "x", "age": 3}\')', "one of the given names"),
        ("raise SystemExit('no weights')", "ended with 1: no weights"),
    ],
)
def test_a_command_that_fails_is_a_sentence(tmp_path, code, words):
    (tmp_path / "bad.py").write_text(code)
    with pytest.raises(SystemExit, match=words):
        benchmark.main(["--predict", f"{sys.executable} {tmp_path / 'bad.py'}", "--out", str(tmp_path / "o.json")])
    assert not (tmp_path / "o.json").exists()


def answers_of(age, label, gender=None):
    label = np.asarray(label, float)
    gender = np.zeros(len(label), int) if gender is None else gender
    labels = Labels(np.arange(len(label)).astype(str), label, label, gender, np.full(len(label), ""))
    none = np.full(len(label), np.nan)
    return Answers(labels, np.asarray(age, float), np.full(len(label), 0.5), none, none)


def test_the_spread_of_errors():
    random = np.random.default_rng(0)
    label = random.uniform(20, 60, 4000)
    told = audit.spread(answers_of(label + random.normal(2, 6, 4000), label))
    assert told["spread"]["deviation"]["value"] == pytest.approx(6, rel=0.05)
    assert told["spread"]["root_mean_square"]["value"] == pytest.approx(40**0.5, rel=0.05)
    assert told["curve"][5] == pytest.approx(1 - told["spread"]["off_by_more_than_5"]["value"], abs=1e-3)
    assert told["curve"] == sorted(told["curve"])


def test_challenge_ages_and_years():
    label = np.repeat(np.arange(13, 40), 30)
    told = audit.about_lines(answers_of(label + 3, label))
    assert set(told["by_year"]) == {str(year) for year in range(13, 26)}
    assert told["by_year"]["17"]["age_bias"]["value"] == 3
    challenge = told["challenge"]
    assert challenge["18"]["minors_pass"]["value"] == pytest.approx(3 / 5)  # those of 15, 16 and 17
    assert challenge["21"]["minors_pass"]["value"] == 0
    assert challenge["21"]["adults_pass"]["value"] == 1
    assert challenge["25"]["adults_pass"]["value"] < 1


def test_groups_weigh_alike_however_large_they_are():
    label = np.array([20.0] * 300 + [50.0] * 30)
    told = audit.cells(answers_of(label + np.where(label == 50, 10, 1), label))
    assert told["equal"]["value"] == pytest.approx(5.5)
    assert set(told["cells"]) == {"18-24 male", "45-54 male"}


def test_persons_and_people_are_read_from_the_tables(tmp_path):
    (tmp_path / "labels.csv").write_text("file,age,person\n" + "".join(f"{n},{20 + n},{n // 2}\n" for n in range(40)))
    (tmp_path / "apparent.csv").write_text("file,apparent_age\n" + "".join(f"{n},{22 + n}\n" for n in range(40)))
    answers = answers_of(np.arange(40) + 21.0, np.arange(40) + 20)
    assert audit.persons_of(tmp_path, answers)["pairs"]["age_moves"]["value"] == 1
    people = audit.people_of(tmp_path, answers)["people"]
    assert (people["people_mae"]["value"], people["model_mae"]["value"]) == (2, 1)
    assert people["model_from_people_mae"]["value"] == 1
    (tmp_path / "labels.csv").write_text("file,age\n0,20\n")
    assert audit.persons_of(tmp_path, answers) == {}
