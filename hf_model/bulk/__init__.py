"""Labelling many pictures: a dataset, or whole sources on Ray (`python -m hf_model.bulk`)."""

__all__ = ["label_dataset"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .labelling import label_dataset

    return label_dataset
