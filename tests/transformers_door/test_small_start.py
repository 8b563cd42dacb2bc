"""The small network's training begins at published ImageNet weights, which PyTorch reads."""

import zipfile

import keras
import numpy as np
import pytest

from hf_model.network.architecture import build_model
from hf_model.network.layout import network_of
from hf_model.settings import Heads
from train.start import load_backbone, published_names

torch = pytest.importorskip("torch", reason="PyTorch reads the published file: make test-transformers")
HEADS = Heads(8, 1, 4)


def test_imagenet_weights_of_the_small_network_come_out_of_the_wheel(tmp_path):
    """A stand-in of the published file: the same names and shapes, values that are known."""
    model = build_model(HEADS, network="efficientnet_lite0")
    tensors = {}
    for name, (convolution, normalization) in published_names(network_of("efficientnet_lite0")).items():
        layer = model.get_layer(f"{name}_conv")
        shape = layer.kernel.shape
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        tensors[f"{convolution}.weight"] = torch.rand(*(shape[axis] for axis in order))
        for part in ("weight", "bias", "running_mean", "running_var"):
            tensors[f"{normalization}.{part}"] = torch.rand(model.get_layer(f"{name}_bn").gamma.shape[0])
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel, wheel.open("package/models/a.pth", "w") as file:
        torch.save(tensors, file)
    load_backbone(model, "efficientnet_lite0", tmp_path / "a.whl")
    kernel = np.asarray(model.get_layer("conv3_block1_2_conv").kernel.value)
    assert np.array_equal(kernel[..., 0], tensors["_blocks.3._depthwise_conv.weight"].numpy()[:, 0].transpose(1, 2, 0))
    kernel = np.asarray(model.get_layer("conv5_last_conv").kernel.value)
    assert np.array_equal(kernel[0, 0], tensors["_conv_head.weight"].numpy()[:, :, 0, 0].T)
    assert np.array_equal(model.get_layer("conv1_bn").moving_variance.value, tensors["_bn0.running_var"].numpy())
    (tmp_path / "b.pth").write_bytes((tmp_path / "a.whl").read_bytes())
    del tensors["_conv_stem.weight"]
    torch.save(tensors, tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"lacks _conv_stem\.weight"):
        load_backbone(model, "efficientnet_lite0", tmp_path / "c.pth")
