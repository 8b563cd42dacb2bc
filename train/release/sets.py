"""The datasets as the card and the READMEs tell of them: ``sets.toml``, and what was measured on each, side by side."""

import functools
import pathlib
import tomllib

from train.release.units import show

FACTS = pathlib.Path(__file__).with_name("sets.toml")
SPLITS = {"train", "validation", "test"}  # of UTKFace, in a run's fingerprints; the others are further sets


@functools.cache
def facts() -> dict:
    """``{"trained": {name: ...}, "measured": {name: ...}}``."""
    return tomllib.loads(FACTS.read_text(encoding="utf-8"))


def trained_on(history: list[dict]) -> dict[str, dict]:
    """Name to facts of every set that a run of the history was trained on, in the order of the facts.

    Args:
        history: of :func:`train.history.read_history`.
    """
    prints = [part["run"].get("data_fingerprint") for part in history]
    # Of UTKFace alone, early runs kept one string.
    names = {name for found in prints if isinstance(found, dict) for name in found} - SPLITS
    known = {name: told for name, told in facts()["trained"].items() if name == "utkface" or name in names}
    return known | {name: {"title": name} for name in sorted(names - known.keys())}


def title_of(name: str) -> str:
    """A measured set's name in words."""
    if name == "utkface":  # measured by its own test split
        return "UTKFace, test"
    return facts()["measured"].get(name, {}).get("title", name)


def side_by_side(metrics: dict, history: list[dict]) -> list[dict[str, str]]:
    """What was measured on every set, as text: ``title``, ``ground`` (home or away), ``faces``, ``age``, ``near``,
    ``held``, ``gender``."""
    trained = trained_on(history)
    overall, grown = metrics["overall"], metrics["groups"]["range"]["13 and older"]["gender_accuracy"]
    home = f"UTKFace, {metrics['split']}"
    rows = [_row(home, "home", overall, f"{show(grown['value'], 'share')} (13 and older)")]
    if metrics.get("end_to_end"):
        found = metrics["end_to_end"]["overall"]
        gender = f"{_share(found, 'gender_accuracy')} (all ages)"
        rows.append(_row(f"{home}, pasted into pictures, found by the detector", "home", found, gender))
    for name, figures in _answered(metrics).items():
        ground = "home" if facts()["measured"].get(name, {}).get("of") in trained else "away"
        rows.append(_row(title_of(name), ground, figures, _share(figures, "gender_10plus")))
    return rows


SEEN_MEASURES = (
    ("age_mae", "years", "years off"),
    ("bin_distance", "years", "years outside the bin"),
    ("inside_bin", "share", "in the bin"),
    ("gender_10plus", "share", "of genders right at 10 and older"),
    ("gender_10plus_gap", "share", "between the races of most and least right genders"),
)


def seen_after_all(metrics: dict) -> list[dict]:
    """Of every measured set, as text: ``title``, ``seen`` and ``of`` (faces), ``figures`` with and without those that were seen."""
    rows = []
    for name, part in metrics.get("seen", {}).items():
        every, rest = part["all"], part["without"]
        figures = [
            f"{show(every[key], unit)} → {show(rest[key], unit)} {words}"
            for key, unit, words in SEEN_MEASURES
            if key in every
        ]
        rows.append({"title": title_of(name), "seen": part["seen"], "of": part["of"], "figures": "; ".join(figures)})
    return rows


def _row(title: str, ground: str, figures: dict, gender: str) -> dict[str, str]:
    near = f"{_share(figures, 'age_cs5')} within 5 years"
    if "inside_bin" in figures:
        near = f"{_share(figures, 'inside_bin')} in the bin"
    held = "range_meets_bin" if "range_meets_bin" in figures else "age_interval_coverage"
    faces = str((figures.get("age_mae") or figures["bin_distance"])["n"])
    told = {"title": title, "ground": ground, "faces": faces, "age": _age(figures)}
    return told | {"near": near, "held": _share(figures, held), "gender": gender}


def _answered(metrics: dict) -> dict[str, dict]:
    """The sets beside UTKFace in which a face was found."""
    sets = metrics.get("external") or {}
    return {name: figures for name, figures in sets.items() if {"age_mae", "bin_distance"} & figures.keys()}


def gaps(metrics: dict) -> list[str]:
    """How far the best and the worst group of each set with known races lie apart, in sentences."""
    told = []
    for name, figures in _answered(metrics).items():
        found = figures.get("gaps", {})
        words = [
            f"{show(found[key]['value'], unit)} ({show(found[key]['low'], unit)} to {show(found[key]['high'], unit)}) {what}"
            for key, unit, what in (
                ("gender_10plus", "share", "in right genders at 10 and older"),
                ("age_mae", "years", "years in the age's error"),
                ("bin_distance", "years", "years in the age's distance to the bin"),
            )
            if key in found
        ]
        if words:
            told.append(f"{title_of(name)}: {', '.join(words)}")
    return told


def elsewhere(metrics: dict) -> str:
    """One sentence on the sets beside UTKFace; "" where none was measured."""
    told = []
    for name, figures in _answered(metrics).items():
        gender = f", gender at 10 and older {_share(figures, 'gender_10plus')}" if "gender_10plus" in figures else ""
        told.append(f"{title_of(name)}: age {_age(figures)}{gender}")
    return "; ".join(told)


def _age(figures: dict) -> str:
    if "age_mae" in figures:
        return f"{show(figures['age_mae']['value'], 'years')} years off"
    return f"{show(figures['bin_distance']['value'], 'years')} years outside the bin"


def _share(figures: dict, name: str) -> str:
    return show(figures[name]["value"], "share") if name in figures else "–"
