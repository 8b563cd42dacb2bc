"""The heat map is the gradient it says it is, changes with the weights, and flips with the face."""

import json
import shutil

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from hf_model import AgeGenderPredictor
from hf_model.network.heat_maps import gradient, heat_map, read_heads
from hf_model.network.weights import read_tensors, save_variables


@pytest.fixture
def heads():
    """Random dense layers of both heads, the age's with a distribution."""
    random = np.random.default_rng(0)
    shapes = {
        "age_dense/kernel": (12, 6),
        "age_dense/bias": (6,),
        "age_distribution/kernel": (6, 117),
        "age_distribution/bias": (117,),
        "gender_dense/kernel": (12, 6),
        "gender_dense/bias": (6,),
        "gender/kernel": (6, 1),
        "gender/bias": (1,),
    }
    return {name: random.normal(0, 0.5, shape) for name, shape in shapes.items()} | {
        "age/kernel": np.arange(117.0)[:, None]
    }


def answer(pooled, heads, target):
    hidden = np.maximum(pooled @ heads[f"{target}_dense/kernel"] + heads[f"{target}_dense/bias"], 0)
    if target == "age" and "age_distribution/kernel" in heads:
        logits = hidden @ heads["age_distribution/kernel"] + heads["age_distribution/bias"]
        return (np.exp(logits) / np.exp(logits).sum()) @ heads["age/kernel"][:, 0]
    return hidden @ heads[f"{target}/kernel"][:, 0]


@pytest.mark.parametrize("kind", ["age", "gender", "plain age"])
def test_the_gradient_is_what_small_changes_give(heads, kind):
    target = kind.split()[-1]
    if kind == "plain age":  # as version 0.1.0 has it
        heads = {name: value for name, value in heads.items() if "distribution" not in name}
        heads["age/kernel"] = np.random.default_rng(1).normal(size=(6, 1))
    pooled = np.random.default_rng(2).uniform(0, 2, 12)
    steps = 1e-5 * np.eye(12)
    slow = [(answer(pooled + step, heads, target) - answer(pooled - step, heads, target)) / 2e-5 for step in steps]
    assert np.allclose(gradient(pooled, heads, target), slow, rtol=1e-3, atol=1e-5)


def test_a_map_is_scaled_keeps_the_sign_of_ages_and_shows_what_speaks_for_the_called_side(heads):
    features = np.random.default_rng(3).uniform(0, 1, (7, 7, 12))
    age = heat_map(features, heads, "age", False, 224)
    assert (age.shape, age.dtype) == ((224, 224), np.float32)
    assert np.abs(age).max() == pytest.approx(1, abs=0.01)
    # What makes older in one corner, what makes younger in the other.
    apart, moves = np.zeros((7, 7, 12)), gradient(features.mean(axis=(0, 1)), heads, "age")
    apart[0, 0], apart[6, 6] = moves > 0, moves < 0
    corners = heat_map(apart, heads, "age", False, 224)
    assert corners[0, 0] > 0.01
    assert corners[-1, -1] < -0.01
    female, male = (heat_map(features, heads, "gender", side, 224) for side in (True, False))
    assert min(female.min(), male.min()) >= 0
    evidence = features @ gradient(features.mean(axis=(0, 1)), heads, "gender")
    assert (female.max() > 0) == (evidence.max() > 0)
    assert (male.max() > 0) == (evidence.min() < 0)


@pytest.mark.parametrize("target", ["age", "gender"])
def test_a_flipped_face_has_the_flipped_map_nearly(predictor, astronaut, target):
    chip = predictor.analyse(astronaut).crops[0]
    (one,), (other,) = (
        predictor.explain(picture, target=target, faces="none") for picture in (chip, PIL.ImageOps.mirror(chip))
    )
    assert one.crop.size == (224, 224)
    assert np.corrcoef(one.heatmap.ravel(), other.heatmap[:, ::-1].ravel())[0, 1] > 0.6
    assert one.prediction == predictor(chip, faces="none")[0]


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_every_engine_explains_alike(root, predictor, astronaut, engine):
    pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine), reason="an extra that is not installed")
    other = AgeGenderPredictor.from_pretrained(root / "hf_model", engine=engine, precision="float32")
    for target in ("age", "gender"):
        (one,), (two,) = (each.explain(astronaut, target=target) for each in (predictor, other))
        assert np.abs(np.abs(one.heatmap) - np.abs(two.heatmap)).max() < 0.02
        assert (np.sign(one.heatmap) == np.sign(two.heatmap)).mean() > 0.99  # older and younger may weigh the same


def test_with_random_weights_the_map_is_another(root, predictor, astronaut, tmp_path):
    """Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018."""
    pytest.importorskip("onnxruntime")
    random = np.random.default_rng(0)
    tensors = read_tensors(root / "hf_model" / "model.safetensors")
    for name, values in tensors.items():
        if name.endswith("/kernel") and name.startswith(("conv5", "age", "gender")) and values.size > 117:
            tensors[name] = random.permutation(values.ravel()).reshape(values.shape)
    save_variables(tensors, tmp_path / "model.safetensors")
    shutil.copy(root / "hf_model" / "config.json", tmp_path)
    other = AgeGenderPredictor.from_pretrained(tmp_path, engine="onnx")
    (one,), (two,) = (each.explain(astronaut, target="age") for each in (predictor, other))
    assert abs(np.corrcoef(one.heatmap.ravel(), two.heatmap.ravel())[0, 1]) < 0.6


def test_what_cannot_be_explained_is_said(predictor, astronaut, tmp_path):
    with pytest.raises(ValueError, match="target='height': pass one of 'age', 'gender'"):
        predictor.explain(astronaut, target="height")
    assert predictor.explain(np.zeros((64, 64, 3), np.uint8)) == []
    with pytest.raises(FileNotFoundError, match="heat map"):
        read_heads(tmp_path)
    loose = AgeGenderPredictor(predictor.settings, lambda batch: {})
    with pytest.raises(ValueError, match="from_pretrained"):
        loose.heads()


def test_the_heads_are_read_beside_published_graphs_too(root, tmp_path):
    from train.release.contents import graphs

    files = graphs(root / "hf_model")
    assert set(files) >= {"onnx/model.onnx", "onnx/heads.safetensors", "onnx/built_from.json"}
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "heads.safetensors").write_bytes(files["onnx/heads.safetensors"])
    one, other = read_heads(tmp_path), read_heads(root / "hf_model")
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert json.loads(files["onnx/built_from.json"])["model.onnx"]
