"""How unlike the faces of the training a face is, by the features that the two heads see.

The mean over all places of each head's feature map, its square root taken (sums of ReLUs have long tails), lies for
training faces near a plane of a few dozen principal components. The distance of a face from that plane says how unlike
them it is; what that is worth is told as the share of validation faces that are further out.

Source: the residual of Wang et al., ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022. The relative
Mahalanobis distance of Ren et al. (2021) was tried beside it: train/README.md has both.
"""

import pathlib

import numpy as np
import safetensors

NAME = "familiarity.safetensors"  # of a model folder; made by `python -m train.measure familiarity`
MAPS = ("age_map", "gender_map")
# Of 1,024 features times 64 components: below what makes numpy's OpenBLAS start threads, which then turn in the
# network's way.
ROWS_AT_ONCE = 3
SMALLEST_SHARE = 1e-4  # further out nothing is told apart


class Familiarity:
    """Tells how familiar faces are.

    Args:
        mean: (D,) of the training faces' features.
        components: (D, K) orthonormal, the principal ones.
        distances: (Q,) rising: of validation faces, so that ``shares`` of them are further out.
        shares: (Q,) falling.
    """

    def __init__(self, mean: np.ndarray, components: np.ndarray, distances: np.ndarray, shares: np.ndarray):
        self.mean, self.components = mean.astype(np.float32), components.astype(np.float32)
        self.distances, self.shares = distances.astype(np.float64), np.log(shares.astype(np.float64))
        self.fall = np.polyfit(self.distances[-4:], self.shares[-4:], 1) if len(distances) > 4 else np.zeros(2)

    @classmethod
    def load(cls, folder: pathlib.Path) -> "Familiarity | None":
        """That of a model folder, None where it has none.

        Raises:
            ValueError: its file is broken.
        """
        path = folder / NAME
        if not path.is_file():
            return None
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                return cls(*(file.get_tensor(name) for name in ("mean", "components", "distances", "shares")))
        except safetensors.SafetensorError as error:
            raise ValueError(f"{path} is not a readable safetensors file ({error}). Download it again.") from error

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(N,) shares of validation faces that are further out, 0 to 1, from (N, D) :func:`pooled_features`."""
        return self.share_of(self.distance(features))

    def distance(self, features: np.ndarray) -> np.ndarray:
        """(N,) distances from the plane, of (N, D) features."""
        centred = features - self.mean
        starts = range(0, len(centred), ROWS_AT_ONCE)
        inside = np.concatenate([centred[start : start + ROWS_AT_ONCE] @ self.components for start in starts])
        return np.sqrt(np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0))

    def share_of(self, distance: np.ndarray) -> np.ndarray:
        """(N,) shares of (N,) distances; beyond the furthest validation face they fall on as they fell before it."""
        told = np.interp(distance, self.distances, self.shares)
        beyond = np.minimum(self.fall[0] * distance + self.fall[1], self.shares[-1])
        return np.exp(np.where(distance > self.distances[-1], beyond, told)).clip(SMALLEST_SHARE, 1)


def pooled_features(outputs: dict[str, np.ndarray]) -> np.ndarray:
    """(N, D) float32: the square roots of the means of both heads' feature maps, from the network's outputs by name."""
    return np.sqrt(np.concatenate([outputs[name].mean(axis=(1, 2), dtype=np.float32) for name in MAPS], axis=1))
