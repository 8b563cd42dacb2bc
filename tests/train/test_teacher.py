"""Another model's answers are for the very picture that is shown, computed once, and weighed against the label."""

import dataclasses
import types

import keras
import numpy as np
import pytest

from tests.train.small import HEADS, stage
from train import teacher as teaching
from train.batches import Batches
from train.losses import AgeLikelihood, GenderLoss, TaughtLikelihood
from train.model import new_model, prepare_stage
from train.recipe import Teacher, load_recipe
from train.smoke import smoke_chips
from train.teacher import TeachingModel, changed_chip

AGES = np.arange(117)


@pytest.fixture
def faces():
    return smoke_chips(20)[0]["train"]


@pytest.fixture
def recipe():
    return dataclasses.replace(load_recipe("small"), batch_size=8, compute_dtype="float32", teacher=Teacher(0.5, 2))


class Watching:
    """A model whose answers tell which picture it was shown; after ``most`` it dies."""

    def __init__(self, most=None):
        self.shown, self.most = 0, most

    def raw(self, pictures, faces):
        assert faces == "none"
        answers = []
        for picture in pictures:
            if self.shown == self.most:
                raise KeyboardInterrupt
            self.shown += 1
            distribution = np.exp(-0.5 * ((AGES - picture.mean() / 3) / 5) ** 2)
            answers.append(
                [
                    types.SimpleNamespace(
                        age_distribution=distribution / distribution.sum(), female_probability=picture.mean() / 255
                    )
                ]
            )
        return answers


@pytest.fixture
def made(monkeypatch, tmp_path, faces, recipe):
    """The teacher of a folder, and the model in it."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"weights")
    model = Watching()
    monkeypatch.setattr(teaching.AgeGenderPredictor, "from_pretrained", lambda *args, **options: model)
    monkeypatch.setattr(teaching, "AT_ONCE", 8)
    return TeachingModel(tmp_path / "model", faces, {"train": "a"}, recipe, tmp_path / "cache"), model


def test_answers_are_of_the_pictures_that_are_shown(made, faces, recipe):
    teacher, model = made
    copy = teacher.copy(1)
    assert model.shown == len(faces)
    batch = Batches(
        faces, dataclasses.replace(recipe, augmentation=recipe.augmentation), stage("all", size=192), (0,), taught=copy
    )
    pixels, answers, weights = batch[0]
    shown = (pixels * 128 + 127).mean((1, 2, 3))
    assert np.allclose(answers["gender"][:, 1] * 255, shown, atol=3)  # resized, and perhaps mirrored
    assert np.allclose(answers["age_distribution"][:, 2:].sum(1), 1)
    assert (weights["gender"] > 0).all()
    assert not np.array_equal(copy.picture(3), teacher.copy(0).picture(3))
    assert np.array_equal(copy.picture(3), changed_chip(faces, recipe, 1, 3))


def test_half_of_the_pictures_are_mirrored(made, faces, recipe):
    teacher, _ = made
    copy = teacher.copy(0)
    batch = Batches(faces, recipe, stage("all", size=200, batch_size=20), (0,), taught=copy)
    pixels = np.round(batch[0][0] * 128 + 127).astype(np.uint8)
    plain = [np.abs(pixels[place] - copy.picture(row).astype(int)).mean() for place, row in enumerate(batch.rows)]
    assert 3 <= sum(difference == 0 for difference in plain) <= 17


def test_answers_are_kept_and_gone_on_with(made, faces):
    teacher, model = made
    model.most = 13
    with pytest.raises(KeyboardInterrupt):
        teacher.copy(0)
    model.most = None
    copy = teacher.copy(0)
    assert model.shown == 13 + len(faces) - 8  # eight were saved
    assert teacher.copy(0).female.tolist() == copy.female.tolist()
    assert model.shown == 13 + len(faces) - 8
    means = [changed_chip(faces, teacher.recipe, 0, row).mean() for row in range(len(faces))]
    assert np.allclose(copy.female * 255, means, atol=0.01)


def test_the_losses_weigh_label_and_teacher():
    random = np.random.default_rng(0)
    predicted = random.dirichlet(np.ones(117), 4).astype("float32")
    ages = np.array([[20, 20], [30, 39], [5, 5], [70, 116]], "float32")
    teacher = random.dirichlet(np.ones(117), 4).astype("float32")
    spread = (0.8, 0.04, 3.0)
    labels = keras.ops.convert_to_numpy(AgeLikelihood(spread).call(ages, keras.ops.convert_to_tensor(predicted)))
    loss = TaughtLikelihood(spread, 0.25)
    assert np.allclose(loss.call(ages, keras.ops.convert_to_tensor(predicted)), labels)
    both = loss.call(np.concatenate([ages, teacher], 1), keras.ops.convert_to_tensor(predicted))
    assert np.allclose(both, 0.75 * labels - 0.25 * (teacher * np.log(predicted)).sum(1), rtol=1e-4)


def test_an_unknown_gender_is_learnt_from_the_teacher_alone():
    predicted = keras.ops.convert_to_tensor(np.array([[0.7], [0.7], [0.7]], "float32"))
    plain = GenderLoss(0.0).call(np.array([[1], [0], [1]], "float32"), predicted)
    assert np.allclose(plain, -np.log([0.7, 0.3, 0.7]), atol=1e-5)
    taught = GenderLoss(0.0, 0.25).call(np.array([[1, 0.5], [0, 0.5], [-1, 0.5]], "float32"), predicted)
    half = -0.5 * (np.log(0.7) + np.log(0.3))
    assert np.allclose(
        taught, [0.75 * -np.log(0.7) + 0.25 * half, 0.75 * -np.log(0.3) + 0.25 * half, 0.25 * half], atol=1e-5
    )


def test_a_small_network_learns_from_both(made, faces, recipe):
    """One step through the whole network: figures are beside the labels, and unknown genders count in no accuracy."""
    teacher, _ = made
    faces.gender[:10] = -1
    model = new_model(dataclasses.replace(recipe, dropout=0.0), HEADS, None)
    prepare_stage(model, stage("all"), 2)
    model.run_eagerly = True
    pixels, answers, weights = Batches(faces, recipe, stage("all", batch_size=20), (0,), taught=teacher.copy(0))[0]
    first = model.train_on_batch(pixels, answers, weights, return_dict=True)
    known = answers["gender"][:, 0] >= 0
    assert first["gender_accuracy"] * known.sum() == pytest.approx(
        round(first["gender_accuracy"] * known.sum()), abs=1e-3
    )
    assert first["age_mae"] > 0
    for _ in range(3):
        last = model.train_on_batch(pixels, answers, weights, return_dict=True)
    assert np.isfinite(last["loss"])
