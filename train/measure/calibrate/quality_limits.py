"""Finds from where on the picture of a face costs accuracy, and what: the warnings of ``config.json``.

Validation chips are changed step by step (``hf_model/pictures/changes.py``). A measure of ``hf_model/faces/quality.py``
gets a limit that 6 in 1,000 of the chips as they are lie beyond, where on changed ones beyond it the age's error is a
fifth higher than usual, or two in a hundred more genders are wrong.
What the warnings quote is then measured on test chips beyond the limits.
"""

import dataclasses
import functools
from collections.abc import Callable, Container, Iterator
from typing import Any

import numpy as np
import PIL.Image

from hf_model.faces.quality import MEASURES, UNSIGNED
from hf_model.pictures.changes import CHANGES, LIGHTS
from hf_model.settings import QualityLimit, Settings, as_json
from train.data import Chips
from train.measure.context import Context
from train.measure.raw import candidates
from train.measure.raw.answers import Answers, answers_of
from train.measure.raw.columns import columns_of
from train.measure.raw.groups import ADULT_LOOKS
from train.measure.raw.labels import Labels
from train.measure.raw.outputs import RawOutputs
from train.measure.raw.scenes import make_scene

CHIPS = 200
WORSE_AGE = 1.2  # times the usual mean absolute error
WORSE_GENDER = 0.02
FALSE_ALARM_PERCENT = (
    0.6  # of the faces as they are, for each measure, so that all together stay under four in a hundred
)
BINS = 8
LEAST = 20  # faces, for a bin of those whose measures lie as they do
MOST_TILT = 60.0  # degrees, of the scenes in which roll and yaw are measured


def beyond_edge(image: PIL.Image.Image, fraction: float) -> PIL.Image.Image:
    """As a face is cut out that leaves the photo on the left: from there on the edge is repeated."""
    pixels = np.array(image)
    edge = round(fraction * image.width)
    pixels[:, :edge] = pixels[:, edge : edge + 1]
    return PIL.Image.fromarray(pixels)


@dataclasses.dataclass(frozen=True)
class Ladder:
    """Steps of changes, worse and worse, along which one measure goes ``beyond``, ``"below"`` or ``"above"``.

    ``change``: by its name, or several with blanks between; ``is_the_measure``: the strength itself is the measure's
    value, which a chip that comes alone cannot show; ``colours``: of ``coloured_light``.
    """

    measure: str
    beyond: str
    change: str
    strengths: tuple[float, ...]
    is_the_measure: bool = False
    colours: tuple[str, ...] = ()

    def steps(self) -> Iterator[tuple[str, Callable, float]]:
        """Each step's name, its change and its strength."""
        for strength in self.strengths:
            for name in self.change.split():
                change = beyond_edge if name == "beyond_edge" else CHANGES[name]
                for colour in self.colours or ("",):
                    more = {"colour": colour} if colour else {}
                    made = functools.partial(_change_chip, change, strength, more)
                    yield f"{name} {colour} {strength:g}".replace("  ", " "), made, strength


LADDERS = (
    Ladder("face_size", "below", "pixels", (160, 112, 80, 64, 56, 48, 40, 32, 24, 16), is_the_measure=True),
    Ladder("sharpness", "below", "blur", (1, 1.5, 2, 3, 4, 6, 8)),
    Ladder("brightness", "below", "brightness", (0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)),
    Ladder("brightness", "above", "brightness", (1.3, 1.6, 2, 2.5, 3)),
    Ladder("contrast", "below", "contrast", (0.7, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)),
    Ladder("outside", "above", "beyond_edge", (0.1, 0.2, 0.3, 0.4, 0.5), is_the_measure=True),
    Ladder("cast", "above", "coloured_light", (0.4, 0.7, 1.0), colours=tuple(LIGHTS)),
    Ladder("covered", "above", "cover_eyes cover_mouth cover_lower", (0.2, 0.4)),
    Ladder("cut_out", "above", "hide_surround", (0.8, 1.0, 1.2)),
    Ladder("familiarity", "below", "mask glasses cap back_light", (1.0,)),
)


@dataclasses.dataclass(frozen=True)
class ChangedFaces:
    """Changed faces: the measure's ``value`` (N,), the age's ``error`` (N,) in years, and whether the gender was
    ``right`` (N,), NaN below ``ADULT_LOOKS`` years."""

    value: np.ndarray
    error: np.ndarray
    right: np.ndarray

    def take(self, rows) -> "ChangedFaces":
        """The given rows."""
        return ChangedFaces(self.value[rows], self.error[rows], self.right[rows])

    def figures(self) -> dict[str, float]:
        """Mean error of the age, and accuracy of the gender."""
        return {"age_mae": float(self.error.mean()), "gender_accuracy": float(np.nanmean(self.right))}


def _change_chip(change: Callable, strength: float, more: dict, chip: np.ndarray) -> PIL.Image.Image:
    return change(PIL.Image.fromarray(chip), strength, **more)


def pair_with_errors(answers: Answers, settings: Settings, value: np.ndarray) -> ChangedFaces:
    """A measure beside the errors; faces that were missed are left out."""
    table, labels = columns_of(answers, settings.decision), answers.labels
    right = table["gender"].values.astype(float)
    right[labels.low < ADULT_LOOKS] = np.nan
    known = answers.found & ~np.isnan(value)
    return ChangedFaces(value, table["age_mae"].values, right).take(known)


def joined(parts: list[ChangedFaces]) -> ChangedFaces:
    """All of them."""
    return ChangedFaces(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("value", "error", "right"))
    )


def climb(outputs: RawOutputs, split: str, chips: Chips, ladder: Ladder) -> list[ChangedFaces]:
    """The chips at every step of a ladder."""
    steps = []
    for name, change, strength in ladder.steps():
        raw = outputs.chips(f"{split}, {name}", chips.images, change)
        measured = raw.quality[:, MEASURES.index(ladder.measure)]
        value = np.full(len(chips), float(strength)) if ladder.is_the_measure else measured
        answers = answers_of(raw, Labels.of(chips), outputs.settings)
        steps.append(pair_with_errors(answers, outputs.settings, value))
    return steps


def as_they_lie(outputs: RawOutputs, split: str, chips: Chips) -> dict[str, ChangedFaces]:
    """Roll and yaw of chips in tilted scenes, whose faces lie as they do."""
    random = np.random.default_rng(0)
    scenes = (make_scene(image, random, most_tilt=MOST_TILT).image for image in chips.images)
    raw = outputs.photos(
        f"{split}, in scenes tilted by up to {MOST_TILT:g}°", scenes, len(chips), chips.images[:, ::20, ::20]
    )
    answers = answers_of(raw, Labels.of(chips), outputs.settings)
    return {
        name: pair_with_errors(answers, outputs.settings, np.abs(raw.quality[:, MEASURES.index(name)]).astype(float))
        for name in UNSIGNED
    }


def in_bins(faces: ChangedFaces, beyond: str) -> list[ChangedFaces]:
    """Faces in bins of equal number by their measure, the worst last."""
    order = np.argsort(faces.value if beyond == "above" else -faces.value)
    return [faces.take(rows) for rows in np.array_split(order, BINS) if len(rows) >= LEAST]


def is_worse(figures: dict[str, float], usual: dict[str, float]) -> bool:
    """Whether faces are answered worse than usual: a fifth more error, or two in a hundred more genders wrong."""
    return (
        figures["age_mae"] >= WORSE_AGE * usual["age_mae"]
        or figures["gender_accuracy"] <= usual["gender_accuracy"] - WORSE_GENDER
    )


def limit_of(steps: list[ChangedFaces], usual: dict[str, float], beyond: str, unchanged: np.ndarray) -> float | None:
    """The measure's value from which on faces are warned of, or None where those beyond it are answered as usual.

    It is the value that ``FALSE_ALARM_PERCENT`` percent of the faces as they are lie beyond, where the changed faces
    beyond it are worse than usual, taken together; where chips do not show the measure, that from which on every step
    is.

    Args:
        steps: faces step by step, the worst last.
        usual: figures of the faces as they are.
        unchanged: (N,) the measure of chips as they are, NaN where they do not show it.
    """
    known = unchanged[~np.isnan(unchanged)]
    if len(known) and np.ptp(known) > 0 and steps:
        threshold = float(np.percentile(known, FALSE_ALARM_PERCENT if beyond == "below" else 100 - FALSE_ALARM_PERCENT))
        faces = joined(steps)
        faces = faces.take(is_beyond(faces.value, beyond, threshold))
        return threshold if len(faces.value) >= LEAST and is_worse(faces.figures(), usual) else None
    last = None
    for step in reversed(steps):
        if not is_worse(step.figures(), usual):
            break
        last = float(step.value.max() if beyond == "below" else step.value.min())
    return last


def is_beyond(value: np.ndarray, beyond: str, threshold: float) -> np.ndarray:
    """(N,) which values are on the limit or beyond it."""
    return value <= threshold if beyond == "below" else value >= threshold


def measure_limits(
    outputs: RawOutputs, splits: dict[str, Chips], count: int, measures: Container[str] = MEASURES
) -> list[QualityLimit]:
    """The ``quality`` section of ``config.json``, see :func:`hf_model.faces.quality.warnings_of`, of these measures."""
    some = {
        name: splits[name].take(np.sort(np.random.default_rng(1).permutation(len(splits[name]))[:count]))
        for name in ("validation", "test")
    }
    unchanged = outputs.chips("validation", splits["validation"].images).quality
    usual = {}
    for name, chips in some.items():
        raw = outputs.chips(f"{name}, as they are", chips.images)
        answers = answers_of(raw, Labels.of(chips), outputs.settings)
        usual[name] = pair_with_errors(answers, outputs.settings, np.zeros(len(chips))).figures()
    limits = []

    def add(measure: str, beyond: str, steps: list[ChangedFaces], on_test) -> None:
        threshold = limit_of(steps, usual["validation"], beyond, unchanged[:, MEASURES.index(measure)])
        told = "none" if threshold is None else f"{beyond} {threshold:.3g}"
        print(f"limit of {measure}, {beyond}: {told}", flush=True)
        if threshold is None:
            return
        faces = on_test()
        faces = faces.take(is_beyond(faces.value, beyond, threshold))
        if not len(faces.value):
            return
        figures: dict[str, Any] = {name: round(value, 4) for name, value in faces.figures().items()}
        figures |= {f"{name}_usual": round(value, 4) for name, value in usual["test"].items()}
        limits.append(QualityLimit(measure, beyond, round(threshold, 4), n=len(faces.value), **figures))

    for ladder in (ladder for ladder in LADDERS if ladder.measure in measures):
        steps = climb(outputs, "validation", some["validation"], ladder)
        steps = steps if ladder.is_the_measure else in_bins(joined(steps), ladder.beyond)
        add(
            ladder.measure,
            ladder.beyond,
            steps,
            lambda ladder=ladder: joined(climb(outputs, "test", some["test"], ladder)),
        )
    for name in (name for name in UNSIGNED if name in measures):
        lying = as_they_lie(outputs, "validation", some["validation"])
        add(
            name,
            "above",
            in_bins(lying[name], "above"),
            lambda name=name: as_they_lie(outputs, "test", some["test"])[name],
        )
    return limits


def measure_verification_limit(outputs: RawOutputs, splits: dict[str, Chips], count: int) -> QualityLimit:
    """The limit of the verification score, found on validation chips, with what is below it of the test chips and of
    things that are none."""
    pictures = candidates.faceless(splits["validation"], count)
    threshold = candidates.score_limit(candidates.low_confidence(outputs.predictor, pictures, False))
    none, real = (
        candidates.low_confidence(outputs.predictor, make(splits["test"], count), is_real)
        for make, is_real in ((candidates.faceless, False), (candidates.real_scenes, True))
    )
    shares: dict[str, Any] = {
        name: round(float((some.verification_score < threshold).mean()), 4)
        for name, some in (("real", real), ("none", none))
    }
    return QualityLimit("verification_score", "below", threshold, **shares)


def run(context: Context) -> dict:
    """The section ``quality`` of ``config.json``."""
    splits = {split: context.chips(split) for split in ("validation", "test")}
    count = min(context.limit_changed or CHIPS, CHIPS)
    limits = measure_limits(context.outputs, splits, count)
    limits.append(measure_verification_limit(context.outputs, splits, min(count, candidates.PICTURES)))
    order = [*dict.fromkeys(ladder.measure for ladder in LADDERS), *UNSIGNED, "verification_score"]
    limits.sort(key=lambda limit: order.index(limit.measure))
    return {"quality": as_json(tuple(limits))}
