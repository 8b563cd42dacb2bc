"""The smallest heads and stages that go through everything."""

from hf_model.settings import Heads
from train.recipe import Stage

HEADS = Heads(8, 1, 4, 117)


def stage(train, **options):
    return Stage(
        **{"name": train, "train": train, "size": 64, "epochs": 1, "learning_rate": 1e-3, "batch_size": 8, **options}
    )
