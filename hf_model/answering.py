"""From found faces to raw predictions: crops of several photos go through the network together, answers come in the
photos' order."""

import collections
from collections.abc import Callable, Iterator

import numpy as np

from .faces.cropping import FaceCrop, FoundFaces
from .faces.face import Face
from .network.engines.engine import Forward
from .network.familiarity import MAPS, Familiarity, pooled_features
from .network.layout import DISTRIBUTION
from .pictures.inputs import InvalidImageError
from .prediction import RawPrediction

# Batches of these shapes, the largest first: nothing is retraced, nothing padded. 32 takes more memory and gained a few
# per cent on one processor, and lost a tenth on another.
BATCH_SHAPES = (8, 4, 2, 1)


class Answerer:
    """Runs crops of faces through the network; nothing is calibrated here.

    Args:
        forward: the network, as an engine loads it.
        familiarity: says how unlike the training's faces a face is; None where the model does not know.
    """

    def __init__(self, forward: Forward, familiarity: Familiarity | None = None):
        self.forward, self.familiarity = forward, familiarity

    def answer(self, crops: list[FaceCrop], batch_size: int) -> list[RawPrediction]:
        """The raw predictions for faces, in their order."""
        if not crops:
            return []
        return self.raw_predictions(self.run(np.stack([crop.pixels for crop in crops]), batch_size), crops)

    def raw_predictions(self, outputs: dict[str, np.ndarray], crops: list[FaceCrop]) -> list[RawPrediction]:
        """The network's outputs for faces, row by row, with what is known of each face."""
        none = [None] * len(crops)
        features = pooled_features(outputs) if all(name in outputs for name in MAPS) else None
        shares = self.familiarity(features).tolist() if self.familiarity and features is not None else none
        distributions = outputs.get(DISTRIBUTION, none)
        rows = zip(outputs["age"].tolist(), outputs["gender"].tolist(), distributions, crops, shares, strict=True)
        return [
            RawPrediction(
                age=age,
                female_probability=female,
                age_distribution=distribution,
                features=None if features is None else features[row],
                quality=crop.quality(share),
                face=crop.face,
                photo=crop.photo,
            )
            for row, (age, female, distribution, crop, share) in enumerate(rows)
        ]

    def run(self, pixels: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
        """(N, S, S, 3) uint8 through the network in fixed batch shapes; the outputs of N rows by name."""
        outputs = []
        start = 0
        while start < len(pixels):
            most = min(batch_size, len(pixels) - start)
            shape = next(shape for shape in BATCH_SHAPES if shape <= most)
            outputs.append(self.forward(pixels[start : start + shape]))
            start += shape
        return {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}

    def stream(
        self,
        finds: Iterator[Callable[[], FoundFaces]],
        prepare: Callable[[FoundFaces, Face | None], FaceCrop],
        finish: Callable[[list[RawPrediction]], list],
        batch_size: int,
        on_error: str,
    ) -> Iterator:
        """A list of answers a photo, or its error, in order and a few photos behind.

        Args:
            finds: for each photo a function that gives its faces, or raises InvalidImageError.
            prepare: a face of them as the network is shown it.
            finish: turns raw predictions into answers, one each.
            batch_size: how many crops are gathered before they go through the network, at most.
            on_error: ``"raise"`` or ``"return"``.

        Raises:
            InvalidImageError: of a photo, with ``on_error="raise"``.
            BaseException: whatever ``finds`` raises, behind the answers before it.
        """
        results: collections.deque = collections.deque()  # of the photos that are not given back yet
        waiting: list[tuple[list, FaceCrop]] = []  # a photo's answers so far, and a face of it without one
        failure: BaseException | None = None
        while True:
            try:
                find = next(finds)
            except StopIteration:
                break
            except BaseException as error:  # of the caller's iterator
                failure = error
                break
            try:
                found = find()
                answers: list = []
                results.append(answers)
                for face in found.faces:
                    waiting.append((answers, prepare(found, face)))
                    if len(waiting) >= batch_size:  # inside a photo too: a crowd's memory is bounded
                        self._answer_waiting(waiting, finish, batch_size)
                del found
            except InvalidImageError as error:
                if on_error == "raise":
                    raise
                results.append(error)
            if len(results) >= batch_size:  # faces wait no longer, however few they are
                self._answer_waiting(waiting, finish, batch_size)
            if not waiting:
                yield from results
                results.clear()
        self._answer_waiting(waiting, finish, batch_size)
        yield from results
        if failure is not None:
            raise failure

    def _answer_waiting(
        self, waiting: list[tuple[list, FaceCrop]], finish: Callable[[list[RawPrediction]], list], batch_size: int
    ) -> None:
        """Answers for faces, each put with its photo's; none waits any more."""
        finished = finish(self.answer([crop for _, crop in waiting], batch_size))
        for (answers, _), answer in zip(waiting, finished, strict=True):
            answers.append(answer)
        waiting.clear()
