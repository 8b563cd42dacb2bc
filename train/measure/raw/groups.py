"""The groups of faces that are reported apart: by age, gender, race and their intersections."""

import itertools
from collections.abc import Iterator

import numpy as np

from dataset_script.utkface import GENDERS, MAX_AGE, RACES
from train.measure.raw.labels import Labels

SMALLEST_GROUP = 50
ADULT_LOOKS = 13  # years: below, gender is hard for anyone
LEAST_IN_GROUP = 150  # faces, of predicted ages and familiarities whose ranges are made to hold together
AGE_BINS = (0, 3, 6, 13, 20, 30, 40, 50, 60, 70, 80, MAX_AGE + 1)


def age_levels(ages: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Age bins as (name, mask); a bin of fewer than 50 faces is pooled with its younger neighbour."""
    edges = [AGE_BINS[0]]
    for _low, high in itertools.pairwise(AGE_BINS):
        count = ((ages >= edges[-1]) & (ages < high)).sum()
        rest = (ages >= high).sum()
        if count >= SMALLEST_GROUP and (rest >= SMALLEST_GROUP or high == AGE_BINS[-1]):
            edges.append(high)
    if edges[-1] != AGE_BINS[-1]:
        edges.append(AGE_BINS[-1])
    names = [f"{low}-{high - 1}" for low, high in itertools.pairwise(edges)]
    return [(name, (ages >= low) & (ages < high)) for name, low, high in zip(names, edges, edges[1:], strict=False)]


def pooled(levels: list[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    """The levels with at least 50 faces, and one "pooled" level of the others, however small."""
    large = [(name, mask) for name, mask in levels if mask.sum() >= SMALLEST_GROUP]
    small = [mask for _, mask in levels if 0 < mask.sum() < SMALLEST_GROUP]
    if small:
        large.append(("pooled", np.any(small, axis=0)))
    return large


def factors(labels: Labels) -> Iterator[tuple[str, list[tuple[str, np.ndarray]]]]:
    """Each factor with its levels as (name, mask of rows)."""
    ages = age_levels(labels.low)
    genders = [(name, labels.gender == index) for index, name in enumerate(GENDERS)]
    races = [(name, labels.race == name) for name in RACES]
    yield (
        "range",
        [
            ("20-60", (labels.low >= 20) & (labels.low <= 60)),
            ("13 and older", labels.low >= 13),
            ("70 and older", labels.low >= 70),
        ],
    )
    yield "age", ages
    yield "gender", pooled(genders)
    yield "race", pooled(races)
    yield "age × gender", pooled([(f"{a} {g}", x & y) for a, x in ages for g, y in genders])
    yield "race × gender", pooled([(f"{r} {g}", x & y) for r, x in races for g, y in genders])


def pooled_groups(of_age: np.ndarray, of_familiarity: np.ndarray, ages: int, familiarities: int) -> np.ndarray:
    """(familiarities, ages) numbers of groups: neighbours in age are pooled until each has ``LEAST_IN_GROUP`` faces;
    where a whole row of familiarity has fewer, it goes with the next more familiar one."""
    groups = np.zeros((familiarities, ages), int)
    number = 0
    for row in reversed(range(familiarities)):
        counts = np.array([np.sum((of_familiarity == row) & (of_age == column)) for column in range(ages)])
        if counts.sum() < LEAST_IN_GROUP and row < familiarities - 1:
            groups[row] = groups[row + 1]
            continue
        start, held, first = 0, 0, number
        for column in range(ages):
            held += counts[column]
            groups[row, start : column + 1] = number
            if held >= LEAST_IN_GROUP:
                start, held, number = column + 1, 0, number + 1
        if start < ages:  # what is left at the old end goes with its younger neighbour
            groups[row, start:] = max(number - 1, first)
        number = groups[row].max() + 1
    return groups
