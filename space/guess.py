""" "Guess first": a visitor's own guess, or the true age, beside the model's answer."""

import html

from face_card import answered_so

CLOSE = 0.5  # years: what is told as no difference


def errors_of(age: float, metrics: dict | None) -> tuple[str, list[float]] | None:
    """The level of predicted ages of an answer, and signed errors, truth − answer, of test faces that were answered
    so."""
    found = answered_so(age, metrics)
    if not found:
        return None
    for level, errors in (metrics or {}).get("errors_by_predicted_age", {}).items():
        low, high = map(int, level.split("-"))
        if low <= age < high + 1:
            return found[0], errors
    return None


def share_closer(guess: float, answer: float, errors: list[float]) -> float:
    """The share of such faces whose truth, answer + error, is closer to the guess than to the answer."""
    return sum(abs(guess - answer - error) < abs(error) for error in errors) / len(errors)


def share_nearer(off: float, errors: list[float]) -> float:
    """The share of such faces for which the answer was closer to the truth than ``off`` years."""
    return sum(abs(error) < abs(off) for error in errors) / len(errors)


def compare(guess: float, age: float, metrics: dict | None) -> str:
    """A visitor's guess and the model's answer side by side, and how often such a guess is the better one."""
    found = errors_of(age, metrics)
    told = f"You: {guess:.0f}. The model: about {age:.0f}."
    if abs(guess - age) < CLOSE:
        told += " You agree."
    elif found:
        share = share_closer(guess, age, found[1])
        told += (
            f" For test faces estimated at {found[0]}, a guess like yours was closer to the true age {share:.0%} "
            f"of the time."
        )
    return _card(told)


def judge(truth: float, age: float, metrics: dict | None) -> str:
    """How far off the answer is, and how many test faces were closer."""
    off, found = truth - age, errors_of(age, metrics)
    told = "The model is right." if abs(off) < CLOSE else f"The model is off by {abs(off):.0f} years."
    if found:
        told += f" For {share_nearer(off, found[1]):.0%} of test faces estimated at {found[0]} it was closer."
    return _card(told)


def _card(text: str) -> str:
    return f'<div class="card"><p class="said" role="status">{html.escape(text)}</p></div>'
