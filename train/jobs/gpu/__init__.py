"""The same training on one lent GPU, for minutes: packs of pictures out, plain PyTorch there, weights back. See
``__main__``."""
