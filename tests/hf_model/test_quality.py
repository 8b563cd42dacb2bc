import dataclasses
import json

import numpy as np
import PIL.Image
import pytest

from hf_model.faces.quality import MEASURES, QUALITY_KEYS, measure_quality, warnings_of
from hf_model.network.familiarity import Familiarity
from hf_model.pictures.changes import (
    blur,
    brightness,
    coloured_light,
    contrast,
    cover_left,
    glasses,
    hide_surround,
    jpeg,
    margin,
    mask,
    side_light,
)
from hf_model.predictor import AgeGenderPredictor
from hf_model.settings import QualityLimit

SMALL = QualityLimit("face_size", "below", 48, 6.12, 0.94, 4.7, 0.96)


def of_chip(image):
    return measure_quality(np.asarray(image.resize((224, 224))), None, None, image.size, None)


def test_every_answer_has_all_measures(predictor, astronaut):
    (face,) = predictor(astronaut)
    assert tuple(face.quality) == QUALITY_KEYS
    assert all(isinstance(value, float) for value in face.quality.values())
    assert 100 < face.quality["face_size"] < 180
    assert abs(face.quality["roll"]) < 15
    assert face.quality["outside"] == 0
    assert face.quality["faces"] == 1
    (chip,) = predictor(astronaut.crop((150, 40, 290, 180)), faces="none")
    assert tuple(chip.quality) == QUALITY_KEYS
    assert chip.quality["face_size"] == 140
    assert [name for name in MEASURES if chip.quality[name] is None] == [
        "roll",
        "yaw",
        "outside",
        "faces",
        "verification_score",
    ]


def test_the_verification_score_is_also_given_under_its_earlier_name(predictor, astronaut):
    """Programs that read answers of versions up to 0.3.0 have ``quality["level"]``."""
    (face,) = predictor(astronaut)
    assert face.to_dict()["quality"]["level"] == face.quality["verification_score"] > 0.9


def test_measures_follow_what_they_measure(predictor, astronaut):
    chip = astronaut.crop((150, 40, 290, 180))
    plain = of_chip(chip)
    assert of_chip(blur(chip, 3))["sharpness"] < 0.5 * plain["sharpness"]
    assert of_chip(brightness(chip, 0.3))["brightness"] == pytest.approx(0.3 * plain["brightness"], rel=0.1)
    assert of_chip(contrast(chip, 0.2))["contrast"] == pytest.approx(0.2 * plain["contrast"], rel=0.1)
    assert of_chip(contrast(chip, 0.5))["sharpness"] == pytest.approx(plain["sharpness"], rel=0.1)
    assert of_chip(coloured_light(chip, 0.8, "blue"))["cast"] > 2 * plain["cast"] + 0.2
    assert of_chip(side_light(chip, 0.9))["evenness"] < 0.6 * plain["evenness"]
    assert of_chip(brightness(chip, 0.3))["cast"] == pytest.approx(plain["cast"], abs=0.1)
    (small,) = predictor(astronaut.resize((256, 256)))
    (whole,) = predictor(astronaut)
    assert small.quality["face_size"] == pytest.approx(whole.quality["face_size"] / 2, rel=0.05)
    (cut_off,) = predictor(astronaut.crop((190, 0, 512, 512)))
    assert 0.05 < cut_off.quality["outside"] < 0.5
    (tilted,) = predictor(margin(astronaut, 0.3).rotate(-20, expand=True))
    assert tilted.quality["roll"] == pytest.approx(whole.quality["roll"] + 20, abs=4)


@pytest.mark.parametrize("compressed", [100, 75])
def test_what_hides_a_face_has_no_texture(astronaut, compressed):
    chip = astronaut.crop((150, 40, 290, 180)).resize((200, 200))
    plain = of_chip(chip)
    assert plain["covered"] < 0.02
    assert plain["cut_out"] < 0.3
    for change, covered, cut_out in (
        (mask, (0.3, 0.5), (0, 0.35)),
        (glasses, (0.1, 0.3), (0, 0.3)),
        (lambda picture: cover_left(picture, 0.5), (0.35, 0.5), (0.4, 0.7)),
        (lambda picture: hide_surround(picture, 1.0, (0, 128, 128)), (0, 0.02), (0.9, 1)),
    ):
        seen = of_chip(jpeg(change(chip), compressed))
        assert covered[0] <= seen["covered"] <= covered[1]
        assert cut_out[0] <= seen["cut_out"] <= cut_out[1]
    for change in (
        blur,
        lambda picture, by: brightness(picture, by / 10),
        lambda picture, by: contrast(picture, by / 10),
    ):
        assert of_chip(change(chip, 3))["covered"] < 0.05  # not what light and sharpness are measured by already


def test_a_warning_says_by_how_much_and_since_when(predictor):
    quality = dict.fromkeys(MEASURES) | {"face_size": 24.0}
    (sentence,) = warnings_of(quality, [SMALL])
    assert sentence == (
        "The face is only 24 pixels wide. In tests, ages of such faces were off by 6.1 years instead of 4.7, "
        "and 94% of genders were right instead of 96%."
    )
    assert warnings_of(quality | {"face_size": 48.0}, [SMALL]) == ()
    assert warnings_of(quality, ()) == ()
    turned = dataclasses.replace(SMALL, measure="yaw", beyond="above", threshold=40)
    assert warnings_of(quality, [turned]) == ()
    (sentence,) = warnings_of(quality | {"yaw": -51.0}, [turned])
    assert sentence.startswith("The face is turned away by about 51°. In tests, ages")
    for measure, beyond in (
        ("sharpness", "below"),
        ("brightness", "above"),
        ("contrast", "below"),
        ("outside", "above"),
        ("covered", "above"),
        ("cut_out", "above"),
    ):
        value = 0.01 if beyond == "below" else 0.99
        limit = dataclasses.replace(SMALL, measure=measure, beyond=beyond, threshold=0.5)
        assert len(warnings_of(quality | {measure: value}, [limit])) == 1


def test_what_is_perhaps_no_face_is_said():
    limit = QualityLimit("verification_score", "below", 0.9, real=0.08, none=0.85)
    (sentence,) = warnings_of(dict.fromkeys(MEASURES) | {"verification_score": 0.6}, [limit])
    assert sentence == (
        "This may not be a face (verification score 60%). In tests, 8% of real small or rotated faces scored below "
        "90%, "
        "and 85% of non-faces."
    )


def test_warnings_reach_the_answer_and_its_json(predictor, astronaut):
    settings = dataclasses.replace(predictor.settings, quality=(dataclasses.replace(SMALL, threshold=500),))
    warned = AgeGenderPredictor(settings, predictor.forward, familiarity=Familiarity.load(predictor.folder))
    warned.detector = predictor.detector
    (face,) = warned(PIL.Image.fromarray(np.asarray(astronaut)))
    assert len(face.warnings) == 1
    assert json.loads(json.dumps(face.to_dict()))["warnings"] == list(face.warnings)
    assert dataclasses.replace(face, warnings=()) == dataclasses.replace(predictor(astronaut)[0], warnings=())
