"""Keras's settings of a user or a process do not change what the network is, and stay as they were."""

import json
import os

import pytest

from tests.support import last_json, run_script

ASK = """
import json, sys
{before}
import numpy, PIL.Image
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model", engine="keras")
(face,) = predictor(sys.argv[1])
import keras
print(json.dumps([face.age, face.female_probability, keras.config.image_data_format(), keras.config.floatx(),
                  keras.config.dtype_policy().name]))
"""
REFUSED = """
from hf_model import AgeGenderPredictor
try:
    AgeGenderPredictor.from_pretrained("hf_model", engine="keras")
except ValueError as error:
    print(error)
"""


@pytest.fixture
def photo(astronaut, tmp_path):
    astronaut.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def settings(tmp_path, **values):
    """The environment of a user whose keras.json says so."""
    home = tmp_path / "keras"
    home.mkdir()
    (home / "keras.json").write_text(json.dumps(values))
    environment = {**os.environ, "KERAS_HOME": str(home)}
    environment.pop("KERAS_BACKEND", None)
    return environment


@pytest.mark.parametrize(
    ("user", "before", "kept"),
    [
        ({"image_data_format": "channels_first"}, "", ["channels_first", "float32", "float32"]),
        ({"floatx": "float16"}, "", ["channels_last", "float16", "float16"]),
        (
            {},
            'import keras; keras.config.set_dtype_policy("mixed_float16")',
            ["channels_last", "float32", "mixed_float16"],
        ),
    ],
)
def test_answers_are_the_same_and_the_settings_stay(root, photo, predictor, astronaut, tmp_path, user, before, kept):
    (expected,) = predictor(astronaut)
    code = ASK.format(before=before)
    age, female, *after = last_json(run_script(code, photo, folder=root, environment=settings(tmp_path, **user)))
    assert age == pytest.approx(expected.age, abs=0.01)
    assert female == pytest.approx(expected.female_probability, abs=1e-3)
    assert after == kept


@pytest.mark.parametrize("place", ["file", "variable"])
def test_a_backend_that_cannot_predict_is_refused_naming_where_it_was_set(root, tmp_path, place):
    pytest.importorskip("jax")
    environment = settings(tmp_path, **({"backend": "jax"} if place == "file" else {}))
    if place == "variable":
        environment["KERAS_BACKEND"] = "jax"
    said = run_script(REFUSED, folder=root, environment=environment).strip()
    assert len(said.splitlines()) == 1
    assert "'jax'" in said
    assert ("keras.json" in said) is (place == "file")
    assert ("KERAS_BACKEND" in said) is (place == "variable")
