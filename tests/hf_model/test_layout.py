"""One description of a network, and everything that is built from it is the same function."""

import keras
import numpy as np
import pytest

from hf_model.network.architecture import build_model
from hf_model.network.folding import fold_model, run_model
from hf_model.network.graphs import network_graph
from hf_model.network.layout import NETWORKS, answers_of, network_of
from hf_model.network.preprocessing import PREPROCESSING, preprocess
from hf_model.settings import Heads

HEADS = Heads(8, 1, 4, 117)
SIZE = 64


@pytest.fixture(scope="module", params=NETWORKS)
def built(request):
    """A description, its Keras model with BatchNorm statistics that are not those of a fresh layer, and a batch."""
    network = NETWORKS[request.param]
    keras.utils.set_random_seed(0)
    model = build_model(HEADS, SIZE, network=network.name)
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_mean.assign(random.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(random.uniform(0.5, 2, layer.moving_variance.shape))
            layer.gamma.assign(random.uniform(0.8, 1.6, layer.gamma.shape))
    pixels = random.integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    return network, model, preprocess(pixels, network.preprocessing)


def test_the_description_names_every_convolution_of_the_model(built):
    network, model, _ = built
    described = {f"{one.name}_conv": one for one in network.convolutions()}
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    layers = {layer.name: layer for layer in model.layers if isinstance(layer, kinds) and layer.name.startswith("conv")}
    assert layers.keys() == described.keys()
    for name, one in described.items():
        layer = layers[name]
        filters = layer.kernel.shape[2 if one.depthwise else 3]
        assert (filters, layer.kernel_size, layer.strides) == (one.filters, (one.kernel,) * 2, (one.stride,) * 2), name
        assert model.get_layer(f"{one.name}_bn").epsilon == network.epsilon


def test_folded_it_gives_the_models_answers(built):
    network, model, batch = built
    plain, folded = model(batch, training=False), run_model(network, fold_model(model, network), batch)
    for name in ("age", "gender", "age_distribution"):
        assert np.allclose(plain[name], folded[name], rtol=1e-3, atol=1e-4), name


def test_its_graph_gives_the_models_answers(built, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network, model, batch = built
    tensors = {variable.path: np.asarray(variable.value, np.float32) for variable in model.variables}
    content = network_graph(tensors, network, HEADS, SIZE)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    is_bgr = PREPROCESSING[network.preprocessing].is_bgr
    first = np.ascontiguousarray((batch[..., ::-1] if is_bgr else batch).transpose(0, 3, 1, 2))
    names = [output.name for output in session.get_outputs()]
    answers = answers_of(dict(zip(names, session.run(names, {"pixel_values": first}), strict=True)))
    plain = model(batch, training=False)
    assert np.allclose(plain["age_distribution"], answers["age_distribution"], rtol=1e-3, atol=1e-5)
    assert np.allclose(np.asarray(plain["gender"])[:, 0], answers["gender"], rtol=1e-3, atol=1e-4)
    assert answers["age_map"].shape == (3, SIZE // 32, SIZE // 32, HEADS.conv_filters)


def test_the_small_network_is_as_large_as_published():
    """Tan & Le's EfficientNet-Lite0 has 4.65 million parameters, 1.28 of them in the classifier that is left out."""
    model = build_model(HEADS, network="efficientnet_lite0")
    backbone = sum(np.prod(variable.shape) for variable in model.variables if variable.path.startswith("conv"))
    assert 3.37e6 < backbone < 3.45e6


def test_an_unknown_network_is_named():
    with pytest.raises(ValueError, match="'vgg': there are 'resnet50', 'efficientnet_lite0'"):
        network_of("vgg")
