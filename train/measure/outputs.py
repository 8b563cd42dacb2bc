"""What the predictor says before any calibration, kept on disk: measuring can be broken off and gone on with.

A part (a split, a change, photos through the detector) is computed once for given weights and kept whole in
``cache/outputs/``; calibrations and figures follow from it without the network.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterable

import datasets
import numpy as np

from dataset_script.utkface import MAX_AGE
from hf_model.download import WEIGHTS_NAME, file_sha256
from hf_model.faces.quality import MEASURES
from hf_model.network.engines import installed
from hf_model.network.familiarity import NAME as FAMILIARITY
from hf_model.prediction import RawPrediction
from hf_model.predictor import AgeGenderPredictor
from hf_model.settings import Settings, as_json

# Sections that a part depends on, beside the weights: a chip, and a photo that goes through the detector.
OF_CHIPS = ("input", "heads")
OF_PHOTOS = (*OF_CHIPS, "detection", "crop")
FORMAT = 7  # of a kept part
BATCH = 32


@dataclasses.dataclass(frozen=True)
class Raw:
    """The first face of each of N pictures, uncalibrated; NaN where none was found.

    ``age`` (N,) years; ``female`` (N,) probabilities; ``distribution`` (N, 117), NaN where the model has none;
    ``faces`` (N,): how many faces a photo has; ``central`` (N,): 1 where the first of them is the most central one, else 0; ``quality`` (N, 14): the measures of
    :data:`hf_model.faces.quality.MEASURES`, NaN where there is none.
    """

    age: np.ndarray
    female: np.ndarray
    distribution: np.ndarray
    faces: np.ndarray
    central: np.ndarray
    quality: np.ndarray

    @classmethod
    def empty(cls, count: int) -> "Raw":
        """Of so many pictures, nothing known yet."""
        columns = {name: np.full(count, np.nan) for name in ("age", "female", "faces", "central")}
        distribution = np.full((count, MAX_AGE + 1), np.nan, np.float32)
        return cls(**columns, distribution=distribution, quality=np.full((count, len(MEASURES)), np.nan, np.float32))

    def record(self, row: int, found: list[RawPrediction], is_central: bool) -> None:
        """Puts the answer for one picture into a row."""
        self.faces[row] = len(found)
        if not found:
            return
        best = found[0]
        self.quality[row] = [np.nan if best.quality[name] is None else best.quality[name] for name in MEASURES]
        self.age[row], self.female[row] = best.age, best.female_probability
        if best.age_distribution is not None:
            self.distribution[row] = best.age_distribution
        if best.box:
            self.central[row] = is_central

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """(N,) of each measure of the pictures, NaN where it is not known."""
        return {name: self.quality[:, place].astype(float) for place, name in enumerate(MEASURES)}

    def take(self, rows) -> "Raw":
        """The given rows."""
        return Raw(**{field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)})


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
        self.predictor = AgeGenderPredictor.from_pretrained(folder, engine=engine, precision=precision)
        self.settings = Settings.load(folder)
        self.key = file_sha256(folder / WEIGHTS_NAME)[:16]
        self.known = file_sha256(folder / FAMILIARITY) if (folder / FAMILIARITY).is_file() else None
        self.cache = cache / "outputs" if cache else None

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
        sections = OF_CHIPS if faces == "none" else OF_PHOTOS
        engine = self.predictor.engine
        cutting = json.dumps(
            [
                FORMAT,
                self.known,
                engine,
                part,
                count,
                faces,
                {key: as_json(getattr(self.settings, key)) for key in sections},
            ]
        )
        digest = hashlib.sha256(cutting.encode() + np.ascontiguousarray(about).tobytes()[:4_000_000]).hexdigest()[:16]
        path = self.cache / f"{self.key}-{digest}.npz" if self.cache else None
        if path and path.is_file():
            print(f"{part}: kept from before", flush=True)
            with np.load(path) as arrays:
                return Raw(**arrays)
        raw = self._compute(part, pictures, count, faces)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part.npz")
            np.savez(partial, **dataclasses.asdict(raw))
            os.replace(partial, path)
        return raw

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
