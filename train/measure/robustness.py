"""What changes of the picture do to the answers: the rows of ``robustness.toml``."""

import functools
import pathlib
import tomllib
from collections.abc import Callable

import numpy as np
import PIL.Image

from hf_model.pictures.changes import CHANGES
from hf_model.settings import Decision
from train.measure.answers import Answers, bootstrap, with_intervals

ROWS = pathlib.Path(__file__).with_name("robustness.toml")
ADULT_LOOKS = 13  # years: below, gender is hard for anyone


def load_rows(path: pathlib.Path = ROWS) -> dict[str, Callable]:
    """The changes by the name of their row, from an array or a picture to a picture.

    Raises:
        ValueError: a row names a change that is not there.
    """
    rows: dict[str, Callable] = {}
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["rows"]:
        name, change, strength = row.pop("name"), row.pop("change"), row.pop("strength")
        if change not in CHANGES:
            raise ValueError(f"{path}: row {name!r} names {change!r}; there are {', '.join(CHANGES)}.")
        rows[name] = functools.partial(_apply, CHANGES[change], strength, row)
    return rows


def changed_rows(n: int, limit: int | None) -> np.ndarray:
    """Which of ``n`` test faces are changed: all, or ``limit`` of them."""
    return np.sort(np.random.default_rng(0).permutation(n)[:limit])


def _apply(change: Callable, strength: float, more: dict, image) -> PIL.Image.Image:
    if isinstance(image, np.ndarray):
        image = PIL.Image.fromarray(image)
    return change(image, strength, **more)


def compare_with_unchanged(changed: Answers, unchanged: Answers, decision: Decision) -> dict[str, dict]:
    """The figures of changed chips, and how far the answers moved from those for the same chips unchanged."""
    moved = np.abs(changed.age - unchanged.age)
    same = (changed.female >= 0.5) == (unchanged.female >= 0.5)
    female, older = changed.chips.gender == 1, changed.chips.age >= ADULT_LOOKS
    right = (changed.female >= 0.5) == female

    def figures(rows: np.ndarray) -> dict[str, float]:
        women, men = rows[older[rows] & female[rows]], rows[older[rows] & ~female[rows]]
        return {
            "age_change": float(moved[rows].mean()),
            "same_side_of_half": float(same[rows].mean()),
            "women_13plus": float(right[women].mean()) if len(women) else float("nan"),
            "men_13plus": float(right[men].mean()) if len(men) else float("nan"),
        }

    result = bootstrap(figures, len(moved))
    for name, group in (("women_13plus", older & female), ("men_13plus", older & ~female)):
        if name in result:
            result[name]["n"] = int(group.sum())
    return with_intervals(changed, decision) | result
