"""The smallest heads and stages that go through everything."""

from train.recipe import Stage

HEADS = {"conv_filters": 8, "conv_kernel": 1, "dense_units": 4, "age_bins": 117}


def stage(train, **options):
    return Stage(
        **{"name": train, "train": train, "size": 64, "epochs": 1, "learning_rate": 1e-3, "batch_size": 8, **options}
    )
