"""PyTorch: for a GPU."""

import os
import pathlib
import sys

import numpy as np

from ...download import WEIGHTS_NAME
from ...settings import Settings
from ..layout import answers_of
from .engine import Engine, Forward, Mtcnn


class TorchEngine(Engine):
    """The network in PyTorch, on the GPU where there is one. Faces are found by the fastest other engine.

    Args:
        device: ``"cuda"``, ``"cuda:1"``, ``"mps"``, ``"cpu"``; None for the first of these that is there.
    """

    name = "torch"
    packages = ("torch",)
    precisions = ("float32", "bfloat16", "float16")

    def __init__(self, precision: str = "auto", threads: int | None = None, device: str | None = None):
        self._device = device
        super().__init__(precision, threads)
        if threads is not None:
            raise ValueError(f"threads={threads} is not for engine='torch': call torch.set_num_threads.")

    @property
    def device(self) -> str:
        """Where the network computes."""
        return self._device or best_device()

    def best_precision(self) -> str:
        """bfloat16 on a GPU that multiplies it, else float32."""
        import torch

        multiplies = self.device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if multiplies else "float32"

    def __str__(self) -> str:
        return f"{super().__str__()} on {self.device}"

    def load(self, settings: Settings, folder: pathlib.Path) -> Forward:
        """The network; in float32 its BatchNorm is folded into the convolutions, where no kernel is rounded by that."""
        import torch

        from ..torch_network import folded, load_network, run

        network = load_network(folder / WEIGHTS_NAME, settings.network, settings.heads)
        device = torch.device(self.device)
        network = folded(network) if self.precision == "float32" else network
        network = network.to(device, getattr(torch, self.precision)).to(memory_format=torch.channels_last)
        process = os.getpid()
        # On a GPU it is PyTorch that says whether a process may; ZeroGPU computes in forked ones.
        may_fork = device.type != "cpu"

        def forward(crops: np.ndarray) -> dict[str, np.ndarray]:
            if os.getpid() != process and not may_fork:
                raise RuntimeError(
                    "engine='torch' cannot go on in a forked process: start processes by 'spawn' "
                    "(multiprocessing.get_context('spawn'))."
                )
            return answers_of(run(network, crops))

        return forward

    def detector(self, folder: pathlib.Path | None = None) -> Mtcnn:
        """MTCNN by the fastest other engine that is installed.

        Raises:
            ImportError: none is.
        """
        from .choice import detector_engine

        return detector_engine().detector(folder)


class ModuleEngine(TorchEngine):
    """A network of the caller's, as it is at each call: where it is, and in its type.

    Args:
        network: a :class:`hf_model.network.torch_network.TorchNetwork`.
    """

    pickles = False

    def __init__(self, network):
        self.network = network
        super().__init__(str(self._kernel.dtype).removeprefix("torch."), device=str(self._kernel.device))

    @property
    def _kernel(self):
        return self.network.get_submodule(self.network.layout.stem.name)["convolution"].weight

    def load(self, settings: Settings, folder: pathlib.Path) -> Forward:
        """The network of the caller's; in training mode it is set to predict for the while."""
        from ..torch_network import run

        def forward(crops: np.ndarray) -> dict[str, np.ndarray]:
            was_training = self.network.training
            self.network.eval()
            try:
                return answers_of(run(self.network, crops))
            finally:
                self.network.train(was_training)

        return forward


def best_device() -> str:
    """``"cuda"``, ``"mps"`` or ``"cpu"``, the first that is there."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def may_have_gpu() -> bool:
    """Whether PyTorch may find a GPU: asked before it is imported, which takes seconds."""
    if "torch" in sys.modules:
        return best_device() != "cpu"
    if sys.platform == "darwin":
        return os.uname().machine == "arm64"
    if sys.platform == "win32":
        return (pathlib.Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").is_file()
    return any(pathlib.Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))
