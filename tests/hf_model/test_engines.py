"""The optional engine answers as the default one does, and says what is missing."""

import sys

import numpy as np
import pytest

from hf_model import AgeGenderPredictor


@pytest.fixture(scope="module")
def onnx_predictor(root):
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    return AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")


def test_both_engines_give_the_same_answers(predictor, onnx_predictor, astronaut):
    random = np.random.default_rng(0)
    chips = [random.integers(0, 256, (80, 80, 3), dtype=np.uint8) for _ in range(3)]
    chips += [astronaut.crop((150 + 4 * i, 40, 290 + 4 * i, 180)) for i in range(8)]
    for (one,), (other,) in zip(predictor(chips, faces="none"), onnx_predictor(chips, faces="none"), strict=True):
        assert abs(one.age - other.age) <= 0.05
        assert abs(one.female_probability - other.female_probability) <= 0.005
    assert onnx_predictor(astronaut)[0].box == predictor(astronaut)[0].box
    assert onnx_predictor(np.zeros((64, 64, 3), np.uint8)) == []


def test_the_graph_is_exported_once(root, onnx_predictor, monkeypatch):
    import hf_model.engines as module

    monkeypatch.setattr(module, "load_keras_model", lambda *args: pytest.fail("exported again"))
    AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")


def test_unknown_and_uninstalled_engines_are_named(root, monkeypatch):
    with pytest.raises(ValueError, match="engine='torch': pass one of 'keras', 'onnx'"):
        AgeGenderPredictor.from_pretrained(root / "hf_model", engine="torch")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="pip install onnxruntime"):
        AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")
