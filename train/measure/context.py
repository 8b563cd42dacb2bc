"""What the steps of measuring share: the arguments, the model's raw answers, and the faces."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from hf_model.settings import Settings
from train.data import Chips, load_chips
from train.measure.raw.answers import Answers, answers_of
from train.measure.raw.changes import changed_rows, load_rows
from train.measure.raw.labels import Labels, holds_chips, read_chips, read_labels
from train.measure.raw.outputs import RawOutputs
from train.measure.raw.raw import Raw


@dataclasses.dataclass(frozen=True)
class Context:
    """One call of ``python -m train.measure``.

    ``model``: the folder that is measured; ``data``: UTKFace, as for ``python -m train``; ``also``: the further sets
    that the weights were trained on; ``external``: folders of sets that are only measured on; ``before``: earlier
    models by name; ``split``: that is reported; ``limit``: at most so many faces of a split; ``limit_changed``: at most
    so many for changed copies; ``recipe``: says which faces of further sets are held out; ``backbone_weights``: where
    short trainings begin.
    """

    model: pathlib.Path
    data: str
    cache: pathlib.Path
    also: tuple[str, ...] = ()
    external: tuple[pathlib.Path, ...] = ()
    before: tuple[tuple[str, pathlib.Path], ...] = ()
    split: str = "test"
    limit: int | None = None
    limit_changed: int | None = None
    recipe: str = "best"
    backbone_weights: str = "imagenet"

    @functools.cached_property
    def outputs(self) -> RawOutputs:
        """The model's raw answers, in float32 on the fastest engine."""
        return RawOutputs(self.model, self.cache)

    @property
    def settings(self) -> Settings:
        """The model's, as they are now."""
        return Settings.load(self.model)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of UTKFace's splits, see :func:`train.data.load_chips`."""
        return _load_once(self.data, self.cache)[1]

    @property
    def all_chips(self) -> dict[str, Chips]:
        """UTKFace's splits, whole."""
        return _load_once(self.data, self.cache)[0]

    def anew(self) -> "Context":
        """The same, for a model whose files have changed."""
        return dataclasses.replace(self)

    @functools.cache  # noqa: B019 - lives as long as the command
    def chips(self, split: str) -> Chips:
        """A split of UTKFace, or ``limit`` faces of it."""
        chips = self.all_chips[split]
        if self.limit is None:
            return chips
        seed = 1 if split == "validation" else 0
        return chips.take(np.sort(np.random.default_rng(seed).permutation(len(chips))[: self.limit]))

    @functools.cached_property
    def raw(self) -> Raw:
        """What the network says of the reported split's chips."""
        return self.outputs.chips(self.split, self.chips(self.split).images)

    @functools.cached_property
    def answers(self) -> Answers:
        """The calibrated answers for the reported split's chips."""
        return answers_of(self.raw, Labels.of(self.chips(self.split)), self.settings)

    def changed(self) -> Iterator[tuple[str, Raw, Answers]]:
        """Each row of changed chips: its name, raw answers and calibrated ones; first "unchanged", the same chips as
        they are."""
        rows = changed_rows(len(self.answers), self.limit_changed)
        labels = self.answers.labels.take(rows)
        yield "unchanged", self.raw.take(rows), self.answers.take(rows)
        images = self.chips(self.split).images[rows]
        for name, change in load_rows().items():
            raw = self.outputs.chips(f"{self.split}, {name}", images, change)
            yield name, raw, answers_of(raw, labels, self.settings)


@functools.cache
def _load_once(data: str, cache: pathlib.Path) -> tuple[dict[str, Chips], dict[str, str]]:
    return load_chips(data, cache)


def raw_of_set(outputs: RawOutputs, folder: pathlib.Path) -> tuple[Raw, Labels]:
    """What a model says of another set, and its labels; see :mod:`train.measure.raw.labels`."""
    if holds_chips(folder):
        labels, pictures = read_chips(folder)
        return outputs.pictures(f"external, {folder.name}", pictures, len(labels), labels.file), labels
    labels = read_labels(folder)
    photos = (folder / name for name in labels.file)
    return outputs.photos(f"external, {folder.name}", photos, len(labels), labels.file), labels
