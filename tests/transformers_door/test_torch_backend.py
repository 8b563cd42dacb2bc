"""Training on PyTorch runs the backbone channels first; the activations must be those of Keras's own layers."""

import os

from tests.support import last_json, run_script

COMPARE = """
import json, keras, numpy as np, torch
from hf_model.architecture import build_model
from hf_model.folding import fold_backbone, run_backbone
model = build_model({"conv_filters": 8, "conv_kernel": 1, "dense_units": 8})
random = np.random.default_rng(0)
for layer in model.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.moving_mean.assign(random.normal(0, 0.1, layer.moving_mean.shape))
        layer.moving_variance.assign(random.uniform(0.5, 2, layer.moving_variance.shape))
pictures = random.uniform(-100, 100, (2, 65, 48, 3)).astype("float32")
with torch.no_grad():
    folded = fold_backbone(model)
    whole, half = run_backbone(folded, pictures), run_backbone(folded, pictures, 1, 3)
    rest = run_backbone(folded, half, 4, 5)
    for name, found in (("conv5_block3_out", whole), ("conv3_block4_out", half)):
        expected = keras.Model(model.inputs, model.get_layer(name).output)(pictures)
        assert found.shape == expected.shape, (found.shape, expected.shape)
        print(json.dumps(float(abs(found - expected).max() / abs(expected).max())))
    print(json.dumps(float(abs(rest - whole).max() / abs(whole).max())))
"""


def test_the_folded_backbone_is_the_same_function_on_torch(root):
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    output = run_script(COMPARE, folder=root, environment=environment)
    differences = [last_json(line) for line in output.splitlines() if line.strip()]
    assert len(differences) == 3
    assert max(differences) < 1e-4
