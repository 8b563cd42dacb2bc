import dataclasses

import pytest

from train.recipe import load_recipe
from train.smoke import smoke_chips


@pytest.fixture(scope="module")
def chips():
    return smoke_chips(16)[0]


@pytest.fixture(scope="module")
def recipe():
    return dataclasses.replace(load_recipe("best"), batch_size=8, compute_dtype="float32", weight_decay=0.0)
