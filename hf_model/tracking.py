"""Faces through a video: kept apart by number, and their answers smoothed over frames.

A face is the one of the frame before whose box it overlaps most; its age distribution and the logit of its gender are
running means, so that one blurred frame moves little. Faces are told apart by place, never recognised: whoever leaves
and comes back gets a new number, and so does whoever appears in another's place and is of quite another age.
"""

import dataclasses
import math

import numpy as np

from .calibration import calibrate_interval, logit
from .faces.boxes import box_overlap
from .prediction import Prediction, decide_gender
from .predictor import AgeGenderPredictor

LEAST_OVERLAP = 0.3
MEMORY = 0.8  # weight of what was before, of each new frame the rest
FRAMES_MISSED = 5  # a face that is not found for longer is gone
# What two age distributions share, 0 to 1: of two frames of a person much more than this, of an old person and a child
# who takes their place, as over a cut in a film, nothing.
LEAST_SHARED = 0.05


@dataclasses.dataclass
class Track:
    """A face through the frames: its number, what is remembered of it, and for how many frames it was not found."""

    number: int
    box: dict[str, int]
    logit: float
    age: float
    distribution: np.ndarray | None
    frames: int = 1
    missed: int = 0


class FaceTracker:
    """Answers frame by frame, with the same number for the same face.

    Args:
        predictor: answers for single frames.
        memory: weight of what was before beside a new frame, 0 to under 1; a face's first frames count fully.
        frames_missed: a face that is not found for more frames than this is gone.

    Example:
        >>> tracker = FaceTracker(predictor)
        >>> for frame in frames:  # (H, W, 3) uint8 RGB arrays, or anything the predictor takes
        ...     for number, prediction in tracker(frame):
        ...         print(number, prediction.age)
    """

    def __init__(self, predictor: AgeGenderPredictor, memory: float = MEMORY, frames_missed: int = FRAMES_MISSED):
        if not 0 <= memory < 1:
            raise ValueError(f"memory={memory!r}: pass a number from 0 to under 1.")
        self.predictor = predictor
        self.memory = memory
        self.frames_missed = frames_missed
        self.tracks: list[Track] = []
        self._next = 1

    def __call__(self, frame) -> list[tuple[int, Prediction]]:
        """The faces of the next frame, each with its number and its smoothed answer, the surest first.

        Raises:
            InvalidImageError: a frame that cannot be used; nothing is forgotten.
        """
        return self.update(self.predictor(frame, faces="all"))

    def update(self, found: list[Prediction]) -> list[tuple[int, Prediction]]:
        """As a call, from answers for the next frame that were made elsewhere."""
        matched = self._match(found)
        known = [track.number for track in matched.values()]
        for track in self.tracks:
            track.missed += track.number not in known
        self.tracks = [track for track in self.tracks if track.missed <= self.frames_missed]
        answers = []
        for place, prediction in enumerate(found):
            if place in matched:
                track = matched[place]
                self._remember(track, prediction)
            else:
                track = self._new(prediction)
            answers.append((track.number, self._smoothed(track, prediction)))
        return answers

    def _match(self, found: list[Prediction]) -> dict[int, Track]:
        """Which of the found faces, by their place, is which known one: pairs by falling overlap."""
        pairs = sorted(
            (
                (box_overlap(track.box, prediction.box), place, number)
                for place, prediction in enumerate(found)
                for number, track in enumerate(self.tracks)
                if prediction.box is not None and may_be_same(track.distribution, prediction.age_distribution)
            ),
            reverse=True,
        )
        matched: dict[int, Track] = {}
        taken: set[int] = set()
        for shared, place, number in pairs:
            if shared >= LEAST_OVERLAP and place not in matched and number not in taken:
                matched[place] = self.tracks[number]
                taken.add(number)
        return matched

    def _new(self, prediction: Prediction) -> Track:
        box = prediction.box or {"xmin": 0, "ymin": 0, "xmax": 0, "ymax": 0}
        odds = float(logit(prediction.female_probability))
        track = Track(self._next, box, odds, prediction.age, prediction.age_distribution)
        self._next += 1
        self.tracks.append(track)
        return track

    def _remember(self, track: Track, prediction: Prediction) -> None:
        track.frames += 1
        kept = min(self.memory, 1 - 1 / track.frames)  # the plain mean of the first few frames
        track.box, track.missed = prediction.box or track.box, 0
        track.logit = kept * track.logit + (1 - kept) * float(logit(prediction.female_probability))
        track.age = kept * track.age + (1 - kept) * prediction.age
        if track.distribution is not None and prediction.age_distribution is not None:
            track.distribution = kept * track.distribution + (1 - kept) * prediction.age_distribution

    def _smoothed(self, track: Track, prediction: Prediction) -> Prediction:
        settings = self.predictor.settings
        female = 1 / (1 + math.exp(-track.logit))
        return dataclasses.replace(
            prediction,
            age=track.age,
            age_interval=calibrate_interval(track.age, track.distribution, prediction.quality, settings.calibration),
            gender=decide_gender(female, settings.decision),
            female_probability=female,
            age_distribution=track.distribution,
        )


def may_be_same(remembered: np.ndarray | None, now: np.ndarray | None) -> bool:
    """Whether two age distributions may be of one person; what is not known may."""
    if remembered is None or now is None:
        return True
    return float(np.minimum(remembered, now).sum()) >= LEAST_SHARED
