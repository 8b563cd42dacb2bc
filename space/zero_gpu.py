"""ZeroGPU, where a free account's Gradio Space may run: the GPU is there only inside calls that ask for it."""

import os


def is_zero_gpu() -> bool:
    """Whether this is such a Space."""
    return bool(os.environ.get("SPACES_ZERO_GPU"))


class OnGpu:
    """A predictor whose answers are computed inside calls that have the GPU; all else is the predictor's own.

    Args:
        predictor: with its network on ``cuda``.
        gpu: ``spaces.GPU``.
    """

    def __init__(self, predictor, gpu):
        self._predictor = predictor
        self._call, self.analyse, self.explain = gpu(predictor.__call__), gpu(predictor.analyse), gpu(predictor.explain)

    def __call__(self, *arguments, **options):
        return self._call(*arguments, **options)

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def warm_up(self) -> None:
        """The detector alone, which needs no GPU."""
        self._predictor.detector.load()
