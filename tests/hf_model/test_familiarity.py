"""How unlike the training's faces a face is: alike on every engine, near 0 for what is no face."""

import numpy as np
import PIL.Image
import PIL.ImageFilter
import pytest

from hf_model import AgeGenderPredictor
from hf_model.network.familiarity import NAME, SMALLEST_SHARE, Familiarity, pooled_features
from train.measure.calibrate.fit_familiarity import fit


def made(n, seed, shift=0.0, dimensions=40, rank=5):
    """Features on a plane of a few directions, and some noise off it."""
    random = np.random.default_rng(seed)
    plane = np.random.default_rng(9).normal(size=(rank, dimensions))
    return (random.normal(size=(n, rank)) @ plane + random.normal(0, 0.1 + shift, (n, dimensions))).astype(np.float32)


def test_what_lies_off_the_plane_is_unfamiliar_and_shares_are_those_of_validation():
    tensors = fit(made(800, 0), made(1000, 1), components=5)
    familiarity = Familiarity(*(tensors[name] for name in ("mean", "components", "distances", "shares")))
    shares = familiarity.share_of(familiarity.distance(made(2000, 2)))
    for share in (0.05, 0.3, 0.7):
        assert (shares < share).mean() == pytest.approx(share, abs=0.03)
    odd = familiarity.share_of(familiarity.distance(made(200, 3, shift=0.3)))
    assert (odd < 0.002).mean() > 0.9
    assert odd.min() >= SMALLEST_SHARE
    distances = np.linspace(0, 100, 300)
    assert (np.diff(familiarity.share_of(distances)) <= 1e-12).all()


def test_the_file_is_small_and_a_broken_one_is_named(root, tmp_path):
    assert (root / "hf_model" / NAME).stat().st_size <= 300_000
    assert Familiarity.load(tmp_path) is None
    (tmp_path / NAME).write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="Download it again"):
        Familiarity.load(tmp_path)


def test_every_engine_and_precision_tells_the_same(root, predictor, astronaut):
    expected = predictor(astronaut)[0].quality["familiarity"]
    for engine, precision, slack in (
        ("onnx", "float32", 0.05),
        ("openvino", "bfloat16", 0.2),
        ("openvino", "int8", 0.4),
    ):
        other = AgeGenderPredictor.from_pretrained(root / "hf_model", engine=engine, precision=precision)
        told = other(astronaut)[0].quality["familiarity"]
        assert told == pytest.approx(expected, rel=slack)


def test_what_is_no_face_is_unfamiliar(predictor, astronaut):
    ((_, crop),) = predictor.crops(astronaut)
    (face,) = predictor(crop, faces="none")
    assert face.quality["familiarity"] > 0.2
    random = np.random.default_rng(0)
    coarse = PIL.Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((224, 224))
    for image in (astronaut, crop.filter(PIL.ImageFilter.FIND_EDGES), coarse, crop.rotate(180)):
        (other,) = predictor(image, faces="none")
        assert other.quality["familiarity"] < 0.1


def test_without_its_file_a_model_answers_and_does_not_know(root, tmp_path, astronaut):
    pytest.importorskip("onnxruntime")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(root / "hf_model" / name)
    (face,) = AgeGenderPredictor.from_pretrained(tmp_path, engine="onnx")(astronaut)
    assert face.quality["familiarity"] is None
    assert face.age_interval[0] < face.age < face.age_interval[1]


def test_features_are_the_means_of_both_maps():
    maps = {"age_map": np.full((2, 7, 7, 3), 4.0, np.float32), "gender_map": np.full((2, 7, 7, 3), 9.0, np.float32)}
    assert pooled_features(maps).tolist() == [[2, 2, 2, 3, 3, 3]] * 2
