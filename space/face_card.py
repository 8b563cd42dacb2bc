"""The card of a face: the prediction in words, with its uncertainty."""

import html
import json
import pathlib

import PIL.Image
from boxes import colour_of
from charts import data_uri, distribution

# Every sentence, and the limits that choose between them; the static page (space/browser/) says the same.
WORDS = json.loads(pathlib.Path(__file__).with_name("words.json").read_text(encoding="utf-8"))


def message(text: str) -> str:
    """One sentence for the user, as HTML."""
    return f'<div class="card"><p class="note" role="status">{html.escape(text)}</p></div>'


def is_unlikely(face: dict, settings) -> bool:
    """Whether the detector only half believes that it is a face."""
    score = (face.get("quality") or {}).get("verification_score")
    least = next((limit.threshold for limit in settings.quality if limit.measure == "verification_score"), None)
    return score is not None and least is not None and score < least


def answered_so(age: float, metrics: dict | None) -> tuple[str, dict] | None:
    """The level of predicted ages that an answer is of, as "30 to 39", and its figures in tests."""
    for level, figures in (metrics or {}).get("by_predicted_age", {}).items():
        low, high = map(int, level.split("-"))
        if low <= age < high + 1:
            return (f"{low} to {high}" if high < 116 else f"{low} and older"), figures
    return None


def describe_faces(
    faces: list[dict],
    crops: list[PIL.Image.Image | None],
    settings,
    metrics: dict | None = None,
    found: int | None = None,
) -> str:
    """The answers as HTML: one card a face, or the sentence for a photo without one.

    Args:
        faces: prediction dicts, in the order of their numbers.
        crops: what the network saw of each, shown small beside it.
        settings: of the model.
        metrics: the model's measured figures.
        found: how many faces the photo has.
    """
    if not faces:
        return message(WORDS["no_face"])
    several = len(faces) > 1
    cards = "".join(
        _card(number, face, crop, several, settings, metrics)
        for number, (face, crop) in enumerate(zip(faces, crops, strict=True), start=1)
    )
    more = ""
    if found is not None and found > len(faces):
        more = (
            f'<p class="said" role="status">{found} faces were found; this is the clearest. Tick “Show all faces” '
            f"for the others.</p>"
        )
    return f'<div class="several">{cards}</div>' if several else cards + more


def _card(number: int, face: dict, crop: PIL.Image.Image | None, several: bool, settings, metrics: dict | None) -> str:
    unlikely = is_unlikely(face, settings)
    title = WORDS["face"].format(number=number)
    name = f'<h2><span class="number">{number}</span>{WORDS["unlikely"] if unlikely else title}</h2>' if several else ""
    small = "" if crop is None else f'<img class="crop" src="{data_uri(crop)}" alt="{WORDS["crop"]}">'
    curve = ""
    if not several and face.get("age_distribution"):
        curve = distribution(face["age_distribution"], face["age"], face["age_interval"])
    return (
        f'<section class="card face{" unlikely" if unlikely else ""}" style="--face:{colour_of(number)}" '
        f'aria-label="{title}">'
        f"{name}{small}{_age(face)}{_warnings(face)}{_gender(face, settings.decision, metrics)}{curve}"
        f"{'' if several else _worth(face, metrics)}</section>"
    )


def _age(face: dict) -> str:
    told = f'<p class="age">{WORDS["age_one" if round(face["age"]) == 1 else "age"].format(**face)}</p>'
    if face["age_interval"]:
        low, high = face["age_interval"]
        told += f'<p class="range">{WORDS["range"].format(low=low, high=high)}</p>'
    return told


def _warnings(face: dict) -> str:
    """Each warning directly under the number: what is the matter large, what it cost in tests small."""
    alerts = []
    if face.get("rotation"):
        alerts.append((WORDS["turned"][str(face["rotation"])], ""))
    for warning in face.get("warnings", ()):
        what, _, cost = warning.partition(". ")
        alerts.append((what + ".", cost))
    return "".join(
        f'<div class="alert" role="note"><b>{html.escape(what)}</b><span>{html.escape(cost)}</span></div>'
        for what, cost in alerts
    )


def _gender(face: dict, decision, metrics: dict | None) -> str:
    female = face["female_probability"]
    told = WORDS[face["gender"]].format(sure=max(female, 1 - female), female=female)
    heading, found = "", answered_so(face["age"], metrics)
    if face["age"] < WORDS["child_below"]:
        right = found[1].get("gender_accuracy", {}).get("value") if found else None
        guess = WORDS["child_guess" if right is None or right < WORDS["hardly_better_below"] else "child_wrong"]
        heading = (
            WORDS["child"].format(guess=guess, one_in=1 / max(1 - right, 0.001)) if right is not None else f"{guess}."
        )
        heading = f"<p>{heading}</p>"
    return (
        f'<div class="{"unsure" if heading else "gender"}">{heading}<p '
        f'class="said">{told}</p>{_bar(female, decision)}</div>'
    )


def _bar(female: float, decision) -> str:
    """A bar from male (0) to female (1) with the uncertain band marked."""
    low, high = decision.male_below, decision.female_above
    ends = "".join(f"<span>{end}</span>" for end in WORDS["ends"])
    return (
        f'<div class="bar" role="img" aria-label="{WORDS["bar"].format(female=female, low=low, high=high)}">'
        f'<div class="band" style="left:{100 * low:.0f}%;width:{100 * (high - low):.0f}%"></div>'
        f'<div class="mark" style="left:{100 * female:.1f}%"></div></div><div class="ends" '
        f'aria-hidden="true">{ends}</div>'
    )


def _worth(face: dict, metrics: dict | None) -> str:
    """One line on what the picture is worth, and how far off such answers were in tests."""
    if face.get("warnings"):
        worth = WORDS["worth_poor"]
    elif _is_wide(face, metrics):
        worth = WORDS["worth_wide"]
    else:
        worth = WORDS["worth_clear"].format(size=(face.get("quality") or {}).get("face_size") or 0)
    found = answered_so(face["age"], metrics)
    if found and "age_interval_coverage" in found[1]:
        error, held = (found[1][name]["value"] for name in ("age_mae", "age_interval_coverage"))
        worth += WORDS["tests"].format(level=found[0], error=error, held=held)
    return f'<p class="small">{html.escape(worth)}</p>'


def _is_wide(face: dict, metrics: dict | None) -> bool:
    median = ((metrics or {}).get("age_interval_width") or {}).get("median")
    interval = face["age_interval"]
    return bool(interval and median and interval[1] - interval[0] > WORDS["wide"] * median)
