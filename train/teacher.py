"""Another model's answers for the very pictures that a training shows: computed once for each changed copy of the
faces, and kept.

A copy changes each face by its own seed, so that the pictures need not be kept: they are made again when they are
shown. Broken off, a copy goes on with the faces that are left.

Source: Beyer et al., Knowledge distillation: A good teacher is patient and consistent, CVPR 2022.
"""

import dataclasses
import hashlib
import json
import os
import pathlib

import datasets
import numpy as np

from dataset_script.utkface import MAX_AGE
from hf_model.download import WEIGHTS_NAME, file_sha256
from hf_model.network.engines.processor import lacks_vnni
from hf_model.predictor import AgeGenderPredictor
from train.augment import augment
from train.data import Chips
from train.recipe import Recipe

SALT = 26  # keeps the copies' seeds apart from those of batches
AT_ONCE = 2048  # faces between two savings


@dataclasses.dataclass(frozen=True)
class TaughtCopy:
    """One changed copy of N faces with the other model's answers: ``distribution`` (N, 117) and ``female`` (N,)
    probabilities."""

    chips: Chips
    recipe: Recipe
    number: int
    distribution: np.ndarray
    female: np.ndarray

    def picture(self, row: int) -> np.ndarray:
        """The changed chip of a row, (200, 200, 3) uint8, not mirrored."""
        return changed_chip(self.chips, self.recipe, self.number, row)


class TeachingModel:
    """Answers for changed copies of the training faces.

    Args:
        folder: of the other model.
        chips: the training faces.
        fingerprints: of the data, as :func:`train.data.load_chips` gives them.
        recipe: whose augmentation changes the copies.
        cache: where answers are kept.
    """

    def __init__(
        self, folder: pathlib.Path, chips: Chips, fingerprints: dict[str, str], recipe: Recipe, cache: pathlib.Path
    ):
        self.folder, self.chips, self.recipe, self.cache = folder, chips, recipe, cache
        source = [file_sha256(folder / WEIGHTS_NAME), fingerprints, len(chips), str(recipe.augmentation), recipe.seed]
        self.key = hashlib.sha256(json.dumps(source).encode()).hexdigest()[:16]

    def copy(self, number: int) -> TaughtCopy:
        """A copy by its number, its answers computed where they are not there yet."""
        path = self.cache / f"taught-{self.key}-{number}.npz"
        partial = path.with_suffix(".part.npz")
        if not path.is_file():
            self._answer(number, partial)
            os.replace(partial, path)
        with np.load(path) as kept:
            return TaughtCopy(self.chips, self.recipe, number, kept["distribution"], kept["female"])

    def _answer(self, number: int, path: pathlib.Path) -> None:
        """Answers for all rows of a copy, saved every ``AT_ONCE`` faces."""
        path.parent.mkdir(parents=True, exist_ok=True)
        distribution, female = (
            np.zeros((len(self.chips), MAX_AGE + 1), np.float16),
            np.zeros(len(self.chips), np.float32),
        )
        done = 0
        if path.is_file():
            with np.load(path) as kept:
                distribution, female, done = kept["distribution"], kept["female"], int(kept["done"])
        engine = "onnx" if lacks_vnni() else "openvino"  # the fastest whose int8 does not overflow
        predictor = AgeGenderPredictor.from_pretrained(self.folder, engine=engine, precision="int8")
        title = f"{self.folder.name} answers for copy {number + 1}"
        with datasets.utils.tqdm(total=len(self.chips), initial=done, desc=title, unit=" faces") as bar:
            while done < len(self.chips):
                rows = range(done, min(done + AT_ONCE, len(self.chips)))
                pictures = (changed_chip(self.chips, self.recipe, number, row) for row in rows)
                for row, (face,) in zip(rows, predictor.raw(pictures, faces="none"), strict=True):
                    distribution[row], female[row] = face.age_distribution, face.female_probability
                    bar.update(1)
                done = rows.stop
                beside = path.with_suffix(".new.npz")
                np.savez(beside, distribution=distribution, female=female, done=done)
                os.replace(beside, path)


def changed_chip(chips: Chips, recipe: Recipe, copy: int, row: int) -> np.ndarray:
    """A face changed as the recipe says, always alike for a copy and a row; not mirrored, which is done when it is
    shown."""
    random = np.random.default_rng((recipe.seed, SALT, copy, row))
    ranges = dataclasses.replace(recipe.augmentation, flip=0.0)
    return augment(chips.images[row], ranges, random, chips.images[(row + 1) % len(chips)])
