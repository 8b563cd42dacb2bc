"""config.json is read once, whole and typed; what does not fit is named."""

import json

import pytest

from hf_model import AgeGenderPredictor
from hf_model.settings import Calibration, FeatureProduct, Settings, SettingsError, as_json


@pytest.fixture
def config(root):
    return json.loads((root / "hf_model" / "config.json").read_text(encoding="utf-8"))


def test_every_section_goes_there_and_back(config):
    settings = Settings.of(config)
    for name in ("input", "reading", "heads", "decision", "detection", "crop", "calibration", "quality"):
        assert as_json(getattr(settings, name)) == config[name], name
    assert settings.input.size == 224
    assert isinstance(settings.calibration.features[-1], FeatureProduct)
    with pytest.raises(AttributeError):
        settings.input.size = 112


def changed(config, path, value=None, remove=False):
    *parents, last = path.split(".")
    section = config
    for name in parents:
        section = section[name]
    if remove:
        del section[last]
    else:
        section[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("detection.min_scor", 0.9, "unknown key 'detection.min_scor'; did you mean 'min_score'"),
        ("detection.further.fine", 9, "unknown key 'detection.further.fine'; did you mean 'fine_size'"),
        ("decisions", {}, "unknown key 'decisions'; did you mean 'decision'"),
        ("decision.male_below", "0.45", "decision.male_below is '0.45': float is wanted"),
        ("input.size", 224.5, "input.size is 224.5: int is wanted"),
        ("input.size", True, "input.size is True: int is wanted"),
        ("crop.side", 3, "crop.side is 3: an object is wanted"),
        ("quality", {}, "quality is {}: a list is wanted"),
        ("calibration.younger.features", [1, "a"], r"calibration\.younger\.features\[1\] is 'a': float is wanted"),
    ],
)
def test_what_does_not_fit_is_named(config, path, value, words):
    with pytest.raises(SettingsError, match=words):
        Settings.of(changed(config, path, value))


@pytest.mark.parametrize(
    "path", ["input.max_pixels", "decision.female_above", "crop.centre", "calibration.factors", "heads"]
)
def test_what_is_missing_is_named(config, path):
    with pytest.raises(SettingsError, match=f"missing key '{path}'"):
        Settings.of(changed(config, path, remove=True))


def test_keys_of_transformers_are_let_through(config):
    assert Settings.of(config | {"transformers_version": "5.23.0", "id2label": {"0": "male"}, "dtype": "float32"})


def test_sections_of_published_versions_are_read_under_their_old_names(config):
    calibration = Settings.of(config).calibration
    config["doubt"] = config.pop("calibration")  # up to 0.3.0
    assert Settings.of(config).calibration == calibration
    assert isinstance(calibration, Calibration)


def test_keys_of_published_versions_are_read_under_their_old_names(config):
    now = Settings.of(config)
    detection = config["detection"]
    for new, old in (("sure", "sure_level"), ("likely", "likely_level")):
        detection[old] = detection.pop(f"{new}_verification")
    detection["level_slack"] = detection.pop("verification_slack")
    detection["further"]["sure_level"] = detection["further"].pop("sure_verification")
    (limit,) = (limit for limit in config["quality"] if limit["measure"] == "verification_score")
    limit["measure"] = "level"  # up to 0.3.0
    assert Settings.of(config) == now


def test_a_model_without_calibration_answers_without_intervals(config, astronaut):
    import numpy as np

    del config["calibration"], config["quality"]
    network = AgeGenderPredictor(
        Settings.of(config), lambda batch: {"age": np.full(len(batch), 30.0), "gender": np.full(len(batch), 0.9)}
    )
    (face,) = network(astronaut, faces="none")
    assert (face.age_interval, face.female_probability, face.warnings) == (None, 0.9, ())


def test_a_folder_with_a_broken_configuration_is_a_sentence(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SettingsError, match=r"config\.json is not JSON"):
        Settings.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(SettingsError, match=r"config\.json: missing key 'input'"):
        Settings.load(tmp_path)
