"""The three things to keep in mind beside an answer, chosen by what was found: ages, the picture, how many faces."""

import html
from collections.abc import Callable

from face_card import WORDS, answered_so

AT_MOST = 3
CHILD = WORDS["child_below"]
OLD = 60  # years
SMALL = 48  # pixels across, of a face


def _old(faces: list[dict], metrics: dict) -> str | None:
    face = next((face for face in faces if face["age"] >= OLD), None)
    found = face and answered_so(face["age"], metrics)
    if not found:
        return None
    level, figures = found
    bias = figures.get("age_bias", {}).get("value")
    way = (
        ""
        if bias is None or abs(bias) < 1
        else f", on average {abs(bias):.1f} years too {'old' if bias > 0 else 'young'}"
    )
    return (
        f"Older faces are harder. In tests, estimates from {level} were off by {figures['age_mae']['value']:.1f} "
        f"years{way}."
    )


def _young(faces: list[dict], metrics: dict) -> str | None:
    if all(face["age"] >= CHILD for face in faces):
        return None
    return (
        "Children's faces say little about gender, and one or two years are much for a child. Do not take either "
        "literally."
    )


def _uncertain(faces: list[dict], metrics: dict) -> str | None:
    if all(face["gender"] != "uncertain" for face in faces):
        return None
    return "Between 45 and 55% the model cannot tell. This says something about the model, not about the person."


def _several(faces: list[dict], metrics: dict) -> str | None:
    if all((face.get("quality") or {}).get("faces") in (None, 1) for face in faces):
        return None
    return (
        "Each face is judged on its own. If only one is shown, it is the one that the detector is surest of, not "
        "the most important one."
    )


def _small(faces: list[dict], metrics: dict) -> str | None:
    if all(((face.get("quality") or {}).get("face_size") or SMALL) >= SMALL for face in faces):
        return None
    return "A small face shows little. Take a photo from closer; enlarging this one does not help."


def _poor(faces: list[dict], metrics: dict) -> str | None:
    if not any(face.get("warnings") for face in faces):
        return None
    return "A warning means that the model was less accurate on such pictures in tests. A better photo helps most."


def _elsewhere(faces: list[dict], metrics: dict) -> str | None:
    photos = metrics.get("external", {}).get("fairface_sample", {})
    inside, gender = (photos.get(name, {}).get("value") for name in ("inside_bin", "gender_10plus"))
    if inside is None or gender is None:
        return None
    return (
        f"These figures are for photos like the training photos. On everyday photos of other people, the age group "
        f"was right for "
        f"{inside:.0%}, and the gender of people of 10 and older for {gender:.0%}."
    )


def _label(faces: list[dict], metrics: dict) -> str | None:
    return (
        "“Gender” is how strangers labelled pictures, with two words. These do not fit everyone, and the model "
        "cannot recognise that."
    )


def _guess(faces: list[dict], metrics: dict) -> str | None:
    near = metrics.get("overall", {}).get("age_cs5", {}).get("value")
    return (
        None
        if near is None
        else f"The age is estimated from looks. For {1 - near:.0%} of test faces it was more than 5 years off."
    )


# In the order of what matters most where it applies; the last ones always do.
NOTES: tuple[Callable[[list[dict], dict], str | None], ...] = (
    _young,
    _poor,
    _uncertain,
    _old,
    _small,
    _several,
    _elsewhere,
    _label,
    _guess,
)


def beside_answer(faces: list[dict], metrics: dict | None) -> str:
    """The notes for these answers as HTML; "" where there is no answer."""
    if not faces:
        return ""
    told = [sentence for note in NOTES if (sentence := note(faces, metrics or {}))][:AT_MOST]
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in told)
    return (
        f'<div class="card"><h2>Keep in mind</h2><ul class="notes">{items}</ul><p class="small">More in the tab '
        f"“About”.</p></div>"
    )
