"""What the predictor says before any calibration: a part (a split, a change, photos through the detector) at a time.

Calibrations and figures follow from the parts without the network.
"""

import hashlib
import itertools
import json
import pathlib
import time
from collections.abc import Callable, Iterable

import datasets
import numpy as np

from hf_model.download import WEIGHTS_NAME, file_sha256
from hf_model.network.engines.choice import installed
from hf_model.network.familiarity import NAME as FAMILIARITY
from hf_model.prediction import RawPrediction
from hf_model.predictor import AgeGenderPredictor
from hf_model.settings import Settings, as_json
from train.measure.raw.kept_parts import KeptParts
from train.measure.raw.raw import Raw

# Sections that a part depends on, beside the weights: a chip, and a photo that goes through the detector.
OF_CHIPS = ("input", "heads")
OF_PHOTOS = (*OF_CHIPS, "detection", "crop")
FORMAT = 7  # of what is kept
BATCH = 32


def fastest(precision: str) -> str:
    """The fastest engine that is installed and has a precision."""
    return next(iter(installed(precision)), "keras")


class RawOutputs:
    """The raw answers of one model folder, computed part by part.

    Args:
        folder: the model.
        cache: where parts are kept; None keeps nothing.
        engine, precision: who answers; by default the fastest engine that is installed, in float32, whose answers are
            Keras's within rounding.
    """

    def __init__(
        self, folder: pathlib.Path, cache: pathlib.Path | None, engine: str | None = None, precision: str = "float32"
    ):
        engine = engine or fastest(precision)
        self.folder = folder
        self.predictor = AgeGenderPredictor.from_pretrained(folder, engine=engine, precision=precision)
        self.key = file_sha256(folder / WEIGHTS_NAME)[:16]
        self.known = file_sha256(folder / FAMILIARITY) if (folder / FAMILIARITY).is_file() else None
        self.parts = KeptParts(cache / "outputs" if cache else None)

    @property
    def settings(self) -> Settings:
        """As they are now: a calibration may have been written since the model was loaded."""
        return Settings.load(self.folder)

    def chips(self, part: str, images: np.ndarray, change: Callable | None = None) -> Raw:
        """For (N, 200, 200, 3) uint8 chips, each changed first where ``change`` is given."""
        pictures = (image if change is None else change(image) for image in images)
        return self._part(part, pictures, len(images), "none", images)

    def pictures(self, part: str, pictures: Iterable, count: int, about) -> Raw:
        """For chips that come one by one, of any size; ``about`` tells apart what they are."""
        return self._part(part, pictures, count, "none", about)

    def photos(self, part: str, photos: Iterable, count: int, about) -> Raw:
        """For photos through the detector; ``about`` tells apart what they are made from."""
        return self._part(part, photos, count, "all", about)

    def _part(self, part: str, pictures: Iterable, count: int, faces: str, about) -> Raw:
        settings, sections = self.settings, OF_CHIPS if faces == "none" else OF_PHOTOS
        depends = [FORMAT, self.known, self.predictor.engine, part, count, faces]
        text = json.dumps([*depends, {key: as_json(getattr(settings, key)) for key in sections}])
        digest = hashlib.sha256(text.encode() + np.ascontiguousarray(about).tobytes()[:4_000_000]).hexdigest()[:16]
        return self.parts.get(f"{self.key}-{digest}", part, lambda: self._compute(part, pictures, count, faces))

    def _compute(self, part: str, pictures: Iterable, count: int, faces: str) -> Raw:
        raw, row, start = Raw.empty(count), 0, time.monotonic()
        pictures = iter(pictures)
        with datasets.utils.tqdm(total=count, desc=part, unit=" pictures") as bar:
            while batch := list(itertools.islice(pictures, BATCH)):
                for picture, found in zip(batch, self.predictor.raw(batch, faces=faces), strict=True):
                    raw.record(row, found, len(found) > 0 and self._is_central(picture, found))
                    row += 1
                bar.update(len(batch))
        print(f"{part}: {count} pictures in {time.monotonic() - start:.0f} s", flush=True)
        return raw

    def _is_central(self, photo, found: list[RawPrediction]) -> bool:
        """Whether the first face is the one nearest to the middle of a photo."""
        if len(found) == 1:
            return True
        width, height = self.predictor.read(photo).size
        boxes = np.array([list((face.box or {}).values()) for face in found], float)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        return int(np.hypot(*(middles - (width / 2, height / 2)).T).argmin()) == 0
