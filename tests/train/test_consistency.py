"""Training and inference see the same tensor; augmentation touches the training split alone."""

import dataclasses

import numpy as np
import PIL.Image
import pytest

from hf_model.network.preprocessing import pixel_values, preprocess
from hf_model.pictures.resize import resize
from train.augment import Augmentation, augment
from train.batches import Batches, Weights, age_rarity, network_input, rows_of_pass, zoomed
from train.data import Chips, join
from train.recipe import FurtherSet, Stage, load_recipe
from train.smoke import smoke_chips


def of_size(size, batch_size=4, **changes):
    """The recipe "best" with other augmentation where given, and a stage of that size."""
    return dataclasses.replace(load_recipe("best"), **changes), Stage(
        "a", "heads", size, 1, 1e-4, batch_size=batch_size
    )


def test_the_training_path_and_the_inference_path_make_equal_tensors_from_a_chip(predictor):
    chips = smoke_chips(5)[0]["validation"]
    seen = []
    spy = type(predictor)(
        predictor.settings,
        lambda batch: (seen.append(batch), dict.fromkeys(("age", "gender"), np.zeros(len(batch))))[1],
    )
    spy(list(chips.images), faces="none")
    crops = np.concatenate(seen)[:5]
    inference = preprocess(crops)  # what engine="keras" gives its network
    graphs = pixel_values(crops)  # what the graphs and transformers' models are given, who put blue first themselves
    assert np.array_equal(graphs.transpose(0, 2, 3, 1)[..., ::-1], inference)
    training = Batches(chips, *of_size(predictor.size, 5))[0][0]
    assert training.shape == (5, 224, 224, 3)
    assert np.array_equal(training, inference)
    unchanged = Batches(chips, *of_size(predictor.size, 5, augmentation=Augmentation()), seed=(0,), shuffled=False)[0][
        0
    ]
    assert np.array_equal(unchanged, inference)


def test_a_chip_from_a_file_takes_the_same_way(predictor, tmp_path):
    chip = smoke_chips(1)[0]["test"].images[0]
    PIL.Image.fromarray(chip).save(tmp_path / "chip.png")
    (from_file,), (from_array,) = predictor(tmp_path / "chip.png", faces="none"), predictor(chip, faces="none")
    assert from_file == from_array


def test_validation_batches_are_in_order_and_never_changed():
    chips = smoke_chips(10)[0]["validation"]
    batches = Batches(chips, *of_size(64))
    assert len(batches) == 3
    pixels = np.concatenate([batches[i][0] for i in range(3)])
    ages = np.concatenate([batches[i][1]["age"] for i in range(3)])[:, 0]
    assert np.array_equal(ages, chips.age)
    assert np.array_equal(pixels, network_input(chips.images, 64, "imagenet_bgr"))


def test_an_epoch_depends_on_seed_and_epoch_alone():
    chips = smoke_chips(12)[0]["train"]

    def epoch(seed):
        batches = Batches(chips, *of_size(64), seed)
        return [batches[i] for i in (2, 0, 1)]  # whatever order the workers ask in

    first, again, other = epoch((0, 1, 2)), epoch((0, 1, 2)), epoch((0, 1, 3))
    assert all(
        np.array_equal(a[0], b[0]) and np.array_equal(a[1]["age"], b[1]["age"])
        for a, b in zip(first, again, strict=True)
    )
    assert not np.array_equal(first[0][0], other[0][0])
    ages = sorted(float(age) for batch in first for age in batch[1]["age"][:, 0])
    assert ages == sorted(map(float, chips.age))  # every chip once, with its own label


def test_images_and_labels_stay_together_in_a_shuffled_epoch():
    chips = smoke_chips(32)[0]["train"]  # brightness tells the age
    pixels, targets, _ = Batches(chips, *of_size(64, 32, augmentation=Augmentation()), seed=(5,))[0]
    brightness = pixels.mean(axis=(1, 2, 3))
    assert np.corrcoef(brightness, targets["age"][:, 0])[0, 1] > 0.9


def test_zoom_cuts_pieces_of_the_input_size_out_of_larger_chips():
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (200, 200, 3))  # brightness tells the column
    chip = PIL.Image.fromarray(np.ascontiguousarray(ramp))
    random = np.random.default_rng(0)
    pieces = [zoomed(chip, 64, (1.0, 2.0), random).astype(float) for _ in range(200)]
    assert all(piece.shape == (64, 64, 3) for piece in pieces)
    widths = [piece[0, -1, 0] - piece[0, 0, 0] for piece in pieces]  # columns of the chip that a piece shows
    assert 95 < min(widths) < 105
    assert 185 < max(widths) < 200
    lefts = [piece[0, 0, 0] for piece in pieces]
    assert min(lefts) < 3
    assert max(lefts) > 80
    assert np.array_equal(zoomed(chip, 64, (1.0, 1.0), random), resize(chip, 64))


def test_augmentation_keeps_size_and_type_and_changes_the_picture():
    chip = smoke_chips(1)[0]["train"].images[0]
    random = np.random.default_rng(0)
    ranges = load_recipe("best").augmentation
    variants = [np.asarray(augment(chip, ranges, random)) for _ in range(30)]
    assert all(variant.shape == chip.shape and variant.dtype == np.uint8 for variant in variants)
    assert len({variant.tobytes() for variant in variants}) == 30
    assert np.array_equal(np.asarray(augment(chip, Augmentation(), random)), chip)


def test_a_warp_moves_the_picture_by_what_it_says():
    chip = np.zeros((100, 100, 3), np.uint8)
    chip[45:55, 45:55] = 255
    random = np.random.default_rng(0)
    centres = []
    for _ in range(200):
        moved = np.asarray(augment(chip, Augmentation(shift=0.1), random))[..., 0].astype(float)
        centres.append([(moved.sum(axis) * np.arange(100)).sum() / moved.sum() for axis in (0, 1)])
    offsets = np.array(centres) - 49.5
    assert 8 < np.abs(offsets).max() <= 10.5
    assert np.abs(offsets.mean(axis=0)).max() < 1.5
    turned = np.asarray(augment(np.roll(chip, 30, axis=1), Augmentation(rotation=90), np.random.default_rng(3)))[..., 0]
    assert 28 < np.hypot(*(np.argwhere(turned > 128).mean(axis=0) - 49.5)) < 32


def test_every_augmentation_changes_a_chip_by_itself_and_keeps_its_size(astronaut):
    chip = np.asarray(astronaut.crop((160, 50, 290, 180)).resize((200, 200)))
    other = chip[::-1].copy()
    for field in dataclasses.fields(Augmentation):
        random = np.random.default_rng(0)
        ranges = Augmentation(
            **{field.name: 15.0 if field.name == "rotation" else 0.9 if field.name != "flip" else 1.0}
        )
        if field.name == "strong":
            continue
        variants = [np.asarray(augment(chip, ranges, random, other)) for _ in range(8)]
        assert all(variant.shape == chip.shape and variant.dtype == np.uint8 for variant in variants), field.name
        assert any(not np.array_equal(variant, chip) for variant in variants), field.name


def faces(low, high, source):
    n = len(low)
    low, high = (np.asarray(values, np.float32) for values in (low, high))
    none = np.full(n, "")
    return Chips(np.zeros((n, 1, 1, 3), np.uint8), low, high, np.zeros(n, int), none, np.full(n, source), none, none)


def test_rare_ages_weigh_more_in_each_set_and_its_mean_weight_is_one():
    recipe = dataclasses.replace(load_recipe("best"), age_rarity_power=0.5)
    ages = np.concatenate([np.full(900, 26), np.full(90, 50), np.full(10, 90)])
    bins = np.array([(20, 29)] * 300 + [(60, 69)] * 30 + [(70, 116)] * 5)
    chips = join([faces(ages, ages, "utkface"), faces(*bins.T, "fairface")])
    weights = age_rarity(chips, recipe)
    home, further = weights[:1000], weights[1000:]
    assert home[0] < home[900] < home[990] <= 4
    assert further[0] < further[300] < further[330] <= 4
    assert home.mean() == pytest.approx(1, abs=0.01)
    assert further.mean() == pytest.approx(1, abs=0.01)
    assert np.allclose(age_rarity(chips, dataclasses.replace(recipe, age_rarity_power=0.0)), 1)


def test_a_pass_shows_a_set_as_often_as_the_recipe_says():
    chips = join([faces([1, 2], [1, 2], "utkface"), faces([3], [3], "appareal")])
    recipe = dataclasses.replace(load_recipe("best"), sets={"appareal": FurtherSet(times=3)})
    assert rows_of_pass(chips, recipe).tolist() == [0, 1, 2, 2, 2]


def test_races_weigh_in_the_gender_as_the_recipe_says_and_the_mean_stays_one():
    chips = join([faces([1, 2], [1, 2], "utkface"), faces([3] * 4, [3] * 4, "fairface")])
    chips = dataclasses.replace(chips, race=np.array(["", "", "Black", "Black", "White", "Indian"]))
    chips.gender[3] = -1
    known = dataclasses.replace(
        load_recipe("best"), sets={"fairface": FurtherSet(gender_weights={"Black": 2.0, "White": 0.5})}
    )
    of = Weights.of(chips, known)
    assert of.gender[:2].tolist() == [1, 1]
    assert of.gender[3] == 0
    np.testing.assert_allclose(of.gender[[2, 4, 5]], np.array([2.0, 0.5, 1.0]) / np.mean([2.0, 0.5, 1.0]))
    assert of.by_output(np.array([3, 0]))["gender"].tolist() == [0, 1]
    wrong = dataclasses.replace(known, sets={"fairface": FurtherSet(gender_weights={"Blak": 2.0})})
    with pytest.raises(ValueError, match="no race Blak"):
        Weights.of(chips, wrong)


def test_training_batches_weigh_ages_and_leave_unknown_genders_out():
    chips = smoke_chips(12)[0]["train"]
    chips.gender[:6] = -1
    _, answers, weights = Batches(chips, *of_size(64, 12), seed=(0,))[0]
    unknown = weights["gender"] == 0
    assert unknown.sum() == 6
    assert set(np.unique(answers["gender"])) <= {0, 1}
    assert answers["age"].shape == answers["age_distribution"].shape == (12, 2)
    assert np.array_equal(weights["age"], weights["age_distribution"])
