"""The datasets as the card and the READMEs tell of them: ``dataset_facts.toml``, and what was measured on each, side by
side."""

import functools
import pathlib
import tomllib

from train.release.units import show

FACTS = pathlib.Path(__file__).with_name("dataset_facts.toml")
IN_DOMAIN, OUT_OF_DOMAIN = "in-domain", "out-of-domain"
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
    """What was measured on every set, as text: ``title``, ``domain`` (in-domain or out-of-domain), ``faces``, ``age``,
    ``near``, ``coverage``, ``gender``."""
    trained = trained_on(history)
    overall, grown = metrics["overall"], metrics["groups"]["range"]["13 and older"]["gender_accuracy"]
    home = f"UTKFace, {metrics['split']}"
    rows = [_row(home, IN_DOMAIN, overall, f"{show(grown['value'], 'share')} (13 and older)")]
    if metrics.get("end_to_end"):
        found = metrics["end_to_end"]["overall"]
        gender = f"{_share(found, 'gender_accuracy')} (all ages)"
        rows.append(_row(f"{home}, pasted into pictures, found by the detector", IN_DOMAIN, found, gender))
    for name, figures in _answered(metrics).items():
        domain = IN_DOMAIN if facts()["measured"].get(name, {}).get("of") in trained else OUT_OF_DOMAIN
        rows.append(_row(title_of(name), domain, figures, _share(figures, "gender_10plus")))
    return rows


LEAKAGE_MEASURES = (
    ("age_mae", "years", "years of mean age error"),
    ("bin_distance", "years", "years outside the bin"),
    ("inside_bin", "share", "in the bin"),
    ("gender_10plus", "share", "gender accuracy at 10 and older"),
    ("gender_10plus_gap", "share", "between the best and the worst race"),
)


def leakage(metrics: dict) -> list[dict]:
    """Of every measured set, as text: ``title``, ``leaked`` and ``of`` (faces), ``figures`` with and without the leaked
    ones."""
    rows = []
    for name, part in metrics.get("leakage", {}).items():
        every, rest = part["all"], part["without"]
        figures = [
            f"{show(every[key], unit)} → {show(rest[key], unit)} {words}"
            for key, unit, words in LEAKAGE_MEASURES
            if key in every
        ]
        rows.append(
            {"title": title_of(name), "leaked": part["leaked"], "of": part["of"], "figures": "; ".join(figures)}
        )
    return rows


def _row(title: str, domain: str, figures: dict, gender: str) -> dict[str, str]:
    near = f"{_share(figures, 'age_cs5')} within 5 years"
    if "inside_bin" in figures:
        near = f"{_share(figures, 'inside_bin')} in the bin"
    held = "range_meets_bin" if "range_meets_bin" in figures else "age_interval_coverage"
    faces = str((figures.get("age_mae") or figures["bin_distance"])["n"])
    told = {"title": title, "domain": domain, "faces": faces, "age": _age(figures)}
    return told | {"near": near, "coverage": _share(figures, held), "gender": gender}


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
            (
                f"{show(found[key]['value'], unit)} ({show(found[key]['low'], unit)} to "
                f"{show(found[key]['high'], unit)}) {what}"
            )
            for key, unit, what in (
                ("gender_10plus", "share", "in gender accuracy at 10 and older"),
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
        gender = (
            f", gender accuracy at 10 and older {_share(figures, 'gender_10plus')}"
            if "gender_10plus" in figures
            else ""
        )
        told.append(f"{title_of(name)}: mean age error {_age(figures)}{gender}")
    return "; ".join(told)


def _age(figures: dict) -> str:
    if "age_mae" in figures:
        return f"{show(figures['age_mae']['value'], 'years')} years"
    return f"{show(figures['bin_distance']['value'], 'years')} years outside the bin"


def _share(figures: dict, name: str) -> str:
    return show(figures[name]["value"], "share") if name in figures else "–"
