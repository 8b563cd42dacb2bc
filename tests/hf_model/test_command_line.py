import json
import os
import subprocess
import sys

import pytest

from hf_model.__main__ import line
from tests.support import PREDICTION_KEYS


@pytest.fixture(scope="module")
def photos(astronaut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    astronaut.save(folder / "astronaut.png")
    astronaut.resize((300, 300)).save(folder / "small.jpg")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture, no complaint")
    return folder


def run(root, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "hf_model", *map(str, arguments)], cwd=root, capture_output=True, text=True, check=False
    )


def test_a_folder_prints_a_line_a_face_and_a_line_an_error(root, photos):
    result = run(root, photos, photos / "missing.jpg")
    assert result.returncode == 2
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert all("age" in line and "P(female)" in line for line in lines)
    # Where no graph is built yet a line says so, once.
    errors = [line for line in result.stderr.splitlines() if not line.startswith("Keras answers, which is slower")]
    assert len(errors) == 3, result.stderr
    assert any("text.jpg: not a picture" in line for line in errors)
    assert any("empty.jpg: is empty" in line for line in errors)
    assert any("missing.jpg: no such file" in line for line in errors)


def test_json_lines_hold_every_input(root, photos):
    result = run(root, "--json", photos / "astronaut.png", photos / "text.jpg")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 2
    assert rows[0]["image"].endswith("astronaut.png")
    assert len(rows[0]["faces"]) == 1
    assert set(rows[0]["faces"][0]) == set(PREDICTION_KEYS)
    assert "error" in rows[1]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_is_json_in_every_encoding(root, photos, tmp_path, encoding):
    name = tmp_path / "café 写真.jpg"
    name.write_bytes((photos / "text.jpg").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "hf_model", "--json", str(name)],
        cwd=root,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    (row,) = map(json.loads, done.stdout.decode(encoding).splitlines())
    assert row["image"] == str(name)


def test_a_turned_photo_and_what_its_picture_is_worth_are_told():
    answer = {
        "age": 30.2,
        "age_interval": [20.0, 40.0],
        "gender": "male",
        "female_probability": 0.1,
        "rotation": 90,
        "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4},
        "warnings": ["The face is only 24 pixels wide. ..."],
    }
    told = line("a.jpg", 1, 1, answer).splitlines()
    assert told[0].endswith("at x 1-3, y 2-4, after turning the photo by 90° to the left")
    assert told[1].strip() == answer["warnings"][0]
    assert len(line("a.jpg", 1, 1, answer | {"rotation": 0, "warnings": []}).splitlines()) == 1


def test_good_photos_alone_exit_0_and_a_missing_model_is_told(root, photos, tmp_path):
    assert run(root, photos / "small.jpg", "--faces", "none").returncode == 0
    result = run(root, photos / "small.jpg", "--model", tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "config.json" in result.stderr
