"""The gate against getting worse: new figures beside the published ones."""

import dataclasses
from collections.abc import Callable

# The metrics compared, and whether a higher value is the worse one.
HIGHER_IS_WORSE = {"age_mae": True, "gender_accuracy": False}
# Version 0.1.0 had one fingerprint for all splits; the test split is the same today.
TEST_OF = {
    "38f6782e53a16a5e5c3a5826a7c3365c69e58c7fbf974619ab761cebe8d6db2a": "acb3b0a93d05b344a2e969258e252c3cc1bdf4a5663df1dd3f55479098c2f930",
}
# Sections with figures of several sets or engines, and the figures of each that are compared.
ELSEWHERE = {
    "external": {"age_mae": True, "bin_distance": True, "gender_10plus": False},
    "engines": HIGHER_IS_WORSE,
}
FACTORS = ("age", "gender", "race", "race × gender")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One figure, before and now; ``limit`` is the end of the published 95 % interval on the bad side."""

    name: str
    before: float
    limit: float
    now: float
    worse: bool


def compare(published: dict, new: dict) -> list[Comparison]:
    """Compares two ``metrics.json`` measured on the same test faces.

    Overall MAE and gender accuracy, and of each factor the worst group's; other data's and each engine's figures where
    both have them. A figure is worse when it lies beyond the published one's 95 % interval.

    Args:
        published, new: the contents of ``metrics.json``.
    """
    rows = []
    for metric, higher_is_worse in HIGHER_IS_WORSE.items():
        pick: Callable = max if higher_is_worse else min
        before, now = published["overall"].get(metric), new["overall"].get(metric)
        if before and now:
            rows.append(_row(metric, before, now, higher_is_worse))
        for factor in FACTORS:
            worst = []
            for metrics in (published, new):
                levels = metrics["groups"].get(factor, {})
                named = {level: figures[metric] for level, figures in levels.items() if metric in figures}
                if named:
                    level = pick(named, key=lambda name, named=named: named[name]["value"])
                    worst.append((level, named[level]))
            if len(worst) == 2:
                title = f"{metric}, worst {factor} ({worst[0][0]} → {worst[1][0]})"
                rows.append(_row(title, worst[0][1], worst[1][1], higher_is_worse))
    for section, measures in ELSEWHERE.items():
        for name in published.get(section) or {}:
            before, now = published[section][name], (new.get(section) or {}).get(name, {})
            rows += [
                _row(f"{section} {name}: {measure}", before[measure], now[measure], higher_is_worse)
                for measure, higher_is_worse in measures.items()
                if measure in before and measure in now
            ]
    return rows


def comparable(published: dict, new: dict) -> str | None:
    """None where the two were measured on the same faces, else why they cannot be compared."""
    if published.get("split") != new.get("split"):
        return (
            f"the published figures are of the split {published.get('split')!r}, the new ones of {new.get('split')!r}"
        )
    before, now = (_faces(metrics) for metrics in (published, new))
    if before != now:
        return "the published figures were measured on other test data (fingerprint)"
    return None


def _faces(metrics: dict) -> str | None:
    """The fingerprint of the split that a ``metrics.json`` was measured on."""
    fingerprint = metrics.get("data", {}).get("fingerprint")
    if isinstance(fingerprint, dict):
        return fingerprint.get(metrics.get("split"))
    return TEST_OF.get(fingerprint, fingerprint)


def table(rows: list[Comparison]) -> str:
    """The comparison as text, worse figures marked."""
    width = max(len(row.name) for row in rows)
    lines = [f"  {'':<{width}}  published   limit     now"]
    for row in rows:
        mark = "  WORSE" if row.worse else ""
        lines.append(f"  {row.name:<{width}}  {row.before:9.4f} {row.limit:7.4f} {row.now:7.4f}{mark}")
    return "\n".join(lines)


def _row(name: str, before: dict, now: dict, higher_is_worse: bool) -> Comparison:
    limit = before["high"] if higher_is_worse else before["low"]
    worse = now["value"] > limit if higher_is_worse else now["value"] < limit
    return Comparison(name, before["value"], limit, now["value"], worse)
