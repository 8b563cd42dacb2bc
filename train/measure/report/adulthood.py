"""The 18-year line: how often a minor is called an adult, and an adult a minor."""

import numpy as np

from train.measure.context import Context
from train.measure.raw.bootstrap import mean_with_interval

LINE = 18
BELOW = ((0, 12), (13, 15), (16, 17))
ABOVE = ((18, 20), (21, 24), (25, 29), (30, 116))


def run(context: Context) -> dict:
    """The section ``adulthood`` of ``metrics.json``."""
    return measure_adulthood(context.answers.age, context.answers.labels.low)


def measure_adulthood(age: np.ndarray, label: np.ndarray) -> dict[str, dict]:
    """``{"called_adult": {AGES: figure}, "called_minor": {AGES: figure}}`` from (N,) predicted and labelled ages.

    A figure is ``{"value", "low", "high", "n"}``, the share of the people of those labelled ages; "all" is among them.
    """
    wrong = {"called_adult": age >= LINE, "called_minor": age < LINE}
    groups = {"called_adult": ((0, LINE - 1), *BELOW), "called_minor": ((LINE, 116), *ABOVE)}
    section: dict[str, dict] = {}
    for name, is_wrong in wrong.items():
        section[name] = {}
        for index, (low, high) in enumerate(groups[name]):
            chosen = is_wrong[(label >= low) & (label <= high)]
            if len(chosen):
                title = f"{low}-{high}" if index else "all"
                section[name][title] = mean_with_interval(chosen)
    return section
