import concurrent.futures
import math
import os
import shutil

import numpy as np
import PIL.Image
import pytest

from hf_model import AgeGenderPredictor, InvalidImageError
from hf_model.answering import Answerer
from hf_model.network.preprocessing import preprocess
from hf_model.pictures.images import read_image
from hf_model.prediction import decide_gender
from tests.support import last_json, run_script


def close(first, second):
    return abs(first.age - second.age) < 0.01 and abs(first.female_probability - second.female_probability) < 0.001


def test_the_astronaut_has_one_face_and_a_plausible_answer(predictor, astronaut):
    (face,) = predictor(astronaut, faces="all")
    assert 15 < face.age < 60
    # Which gender is the model's affair: whether it says what its probability means is ours.
    decision = predictor.settings.decision
    assert face.gender == decide_gender(face.female_probability, decision)
    assert face.box["xmin"] < 224 < face.box["xmax"]  # the face is at about (224, 110)
    assert face.box["ymin"] < 110 < face.box["ymax"]
    assert 0.9 <= face.detection_score <= 1
    assert predictor(astronaut) == [face]


def test_a_picture_without_a_face_gives_an_empty_list(predictor):
    assert predictor(PIL.Image.new("RGB", (300, 200), "white")) == []
    assert predictor(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 20000), (20000, 1), (15, 400)])
def test_shapes_too_thin_for_a_face_give_an_empty_list(predictor, size):
    assert predictor(PIL.Image.new("RGB", size)) == []


def test_two_faces_side_by_side_are_both_found(predictor, astronaut):
    pair = PIL.Image.new("RGB", (1024, 512))
    pair.paste(astronaut, (0, 0))
    pair.paste(astronaut.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    faces = predictor(pair, faces="all")
    assert len(faces) == 2
    margin = predictor.settings.detection.score_margin
    assert faces[0].detection_score >= faces[1].detection_score - margin
    assert len(predictor(pair)) == 1


def test_a_rotated_phone_photo_gives_the_same_answer(predictor, astronaut, tmp_path):
    exif = PIL.Image.Exif()
    exif[274] = 6
    astronaut.transpose(PIL.Image.Transpose.ROTATE_90).save(tmp_path / "phone.png", exif=exif)
    (turned,), (plain,) = predictor(tmp_path / "phone.png"), predictor(astronaut)
    assert turned.box == plain.box
    assert close(turned, plain)


def test_the_box_is_in_pixels_of_the_photo_whatever_its_size(predictor, astronaut):
    (small,) = predictor(astronaut)
    (large,) = predictor(astronaut.resize((2048, 2048), PIL.Image.Resampling.BICUBIC))
    for corner, value in small.box.items():
        assert abs(large.box[corner] / 4 - value) <= 12
    # The face is the same, but 110 pixels of it are not 440: the answer may move with the sharpness.
    assert abs(large.age - small.age) < 8


def test_a_large_photos_face_is_cut_from_a_smaller_reading_where_it_stays_large(
    predictor, astronaut, tmp_path, monkeypatch
):
    near = astronaut.crop((100, 0, 400, 300)).resize((3000, 3000), PIL.Image.Resampling.BICUBIC)
    far = PIL.Image.new("RGB", (3000, 3000), "gray")
    far.paste(astronaut.resize((700, 700)), (1000, 1000))
    read = []
    monkeypatch.setattr(
        "hf_model.faces.cropping.read_in_own_colours",
        lambda image, limit, formats=None: read.append(image) or read_image(image, limit),
    )
    for picture, whole in ((near, False), (far, True)):
        path = tmp_path / "photo.jpg"
        picture.save(path, quality=95)
        read.clear()
        (face,) = predictor(path)
        assert (path in read) == whole  # the far face would be too small on a smaller reading
        (expected,) = predictor(PIL.Image.open(path))
        assert abs(face.age - expected.age) < (0.01 if whole else 1.0)
        assert max(abs(face.box[side] - expected.box[side]) for side in face.box) <= (0 if whole else 12)
        assert predictor.analyse(path).predictions == [face]
        ((_, crop),) = predictor.crops(path)
        assert crop.size[0] == crop.size[1] >= 200


def test_a_chip_needs_no_detector(predictor, astronaut):
    chip = astronaut.crop((170, 50, 280, 160))
    (face,) = predictor(chip, faces="none")
    assert face.box is None
    assert face.detection_score is None
    assert face.age >= 0


@pytest.mark.parametrize("batch_size", [5, 32])  # batches of 4 and 1; of 8, 2 and 1
def test_a_list_gives_the_answers_of_single_calls_in_order(predictor, astronaut, batch_size):
    random = np.random.default_rng(0)
    images = []
    for index in range(11):
        noise = random.integers(0, 30, (512, 512, 3))
        images.append(np.clip(np.asarray(astronaut).astype(int) + noise, 0, 255).astype(np.uint8))
        if index % 4 == 1:
            images.append(np.zeros((100, 100, 3), np.uint8))
    together = predictor(images, batch_size=batch_size)
    assert [len(faces) for faces in together] == [len(predictor(image)) for image in images]
    for image, faces in zip(images, together, strict=True):
        for one, other in zip(predictor(image), faces, strict=True):
            assert close(one, other)
    assert predictor([]) == []


def test_the_worst_member_does_not_sink_a_batch(predictor, astronaut):
    with pytest.raises(InvalidImageError):
        predictor([astronaut, b"no picture"])
    good, bad, empty = predictor([astronaut, b"no picture", np.zeros((64, 64, 3), np.uint8)], on_error="return")
    assert len(good) == 1
    assert isinstance(bad, InvalidImageError)
    assert empty == []


def test_a_crowd_is_answered_in_batches(predictor, astronaut, monkeypatch):
    """The memory that a photo takes does not grow with its faces."""
    row = PIL.Image.new("RGB", (7 * 200, 200))
    for column in range(7):
        row.paste(astronaut.crop((124, 14, 324, 214)), (200 * column, 0))
    sizes = []
    run = Answerer.run
    monkeypatch.setattr(Answerer, "run", lambda self, pixels, n: sizes.append(len(pixels)) or run(self, pixels, n))
    faces = predictor(row, faces="all", batch_size=3)
    assert len(faces) == 7
    assert sizes == [3, 3, 1]
    assert {face.quality["faces"] for face in faces} == {7}


def test_the_largest_face_can_be_asked_for(predictor, astronaut):
    picture = PIL.Image.new("RGB", (1400, 800))
    picture.paste(astronaut, (0, 0))
    picture.paste(astronaut.resize((768, 768)), (620, 0))
    large, small = predictor(picture, faces="all")
    assert [face.box for face in predictor(picture, faces="largest")] == [large.box]
    assert large.box["xmax"] - large.box["xmin"] > 1.3 * (small.box["xmax"] - small.box["xmin"])


@pytest.mark.parametrize("options", [{"faces": "some"}, {"on_error": "ignore"}, {"batch_size": 0}])
def test_unknown_options_are_refused(predictor, astronaut, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        predictor(astronaut, **options)


def test_threads_sharing_a_predictor_get_the_single_thread_answers(predictor, astronaut):
    chips = [astronaut.crop((150 + i, 40 + i, 290 + i, 180 + i)) for i in range(16)]
    alone = [predictor(chip, faces="none")[0] for chip in chips]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda chip: predictor(chip, faces="none")[0], chips))
    assert all(close(*pair) for pair in zip(alone, together, strict=True))


def test_threads_may_detect_at_once(predictor, astronaut):
    sizes = [(512, 512), (300, 300), (640, 400), (401, 512)] * 4
    photos = [astronaut.resize(size) for size in sizes]
    alone = [predictor(photo, faces="all") for photo in photos]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda photo: predictor(photo, faces="all"), photos))
    for one, other in zip(alone, together, strict=True):
        assert [face.box for face in one] == [face.box for face in other]
        assert all(close(*pair) for pair in zip(one, other, strict=True))


def test_predictions_are_finite_and_ages_never_negative(predictor):
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (50, 50, 3), dtype=np.uint8) for _ in range(8)]
    pictures += [np.full((50, 50, 3), value, np.uint8) for value in (0, 128, 255)]
    for (face,) in predictor(pictures, faces="none"):
        assert face.age >= 0
        assert math.isfinite(face.age)
        assert 0 <= face.female_probability <= 1


def test_preprocessing_is_keras_own_and_leaves_its_input_alone():
    import keras

    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    before = pixels.copy()
    expected = keras.applications.resnet50.preprocess_input(pixels.astype(np.float32))
    assert np.array_equal(preprocess(pixels), expected)
    assert np.array_equal(pixels, before)


def test_errors_of_loading_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        AgeGenderPredictor.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="No folder"):
        AgeGenderPredictor.from_pretrained("no/such/folder")


def test_a_downloaded_copy_predicts_elsewhere_without_the_project(root, astronaut, tmp_path):
    shutil.copytree(root / "hf_model", tmp_path / "hf_model", ignore=shutil.ignore_patterns("__pycache__"))
    astronaut.save(tmp_path / "astronaut.png")
    code = (
        "import sys, json; from hf_model import AgeGenderPredictor as P;"
        "print(json.dumps([f.to_dict() for f in P.from_pretrained('hf_model')('astronaut.png')]));"
        "assert not {'torch', 'transformers', 'datasets', 'gradio'} & set(sys.modules), 'needs too much'"
    )
    assert len(last_json(run_script(code, folder=tmp_path, environment=dict(os.environ)))) == 1


def test_an_analysis_is_the_answer_of_a_call_with_what_the_network_was_shown(predictor, astronaut):
    pair = PIL.Image.new("RGB", (1024, 512))
    pair.paste(astronaut, (0, 0))
    pair.paste(astronaut, (512, 0))
    for faces, count, found in (("all", 2, 2), ("most_confident", 1, 2), ("none", 1, 1)):
        analysis = predictor.analyse(pair, faces=faces)
        assert [face.to_dict() for face in analysis.predictions] == [f.to_dict() for f in predictor(pair, faces=faces)]
        assert [crop.size for crop in analysis.crops] == [(224, 224)] * count
        assert analysis.found == found
    (again,) = predictor(predictor.analyse(astronaut).crops[0], faces="none")
    assert again.age == pytest.approx(predictor(astronaut)[0].age, abs=0.01)
    with pytest.raises(ValueError, match="faces='some'"):
        predictor.analyse(astronaut, faces="some")
    assert predictor.analyse(np.zeros((64, 64, 3), np.uint8)).predictions == []
