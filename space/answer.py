"""An answer in words: a card a face, with the doubt where it belongs."""

import html

import PIL.Image
from boxes import colour_of
from charts import data_uri, distribution

CHILD = 13  # years: of faces answered younger, the gender is hardly better than a guess
HARDLY_BETTER = 0.8  # of genders right, below which that is said so
WIDE = 1.5  # times the median range: an answer that wide says little
CALLED = {"female": "perceived as <b>female</b>", "male": "perceived as <b>male</b>"}


def message(text: str) -> str:
    """One sentence for the user, as HTML."""
    return f'<div class="card"><p class="note" role="status">{html.escape(text)}</p></div>'


NO_FACE = (
    "No face was found, neither upright nor turned. A clear, well-lit photo in which the face is larger than a fiftieth of "
    "the picture works best."
)


def is_doubted(face: dict, config: dict) -> bool:
    """Whether the detector only half believes that it is a face."""
    level = (face.get("quality") or {}).get("level")
    least = next((limit["threshold"] for limit in config.get("quality") or () if limit["measure"] == "level"), None)
    return level is not None and least is not None and level < least


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
    config: dict,
    metrics: dict | None = None,
    found: int | None = None,
) -> str:
    """The answers as HTML: one card a face, or the sentence for a photo without one.

    Args:
        faces: prediction dicts, in the order of their numbers.
        crops: what the network saw of each, shown small beside it.
        config: the model's ``config.json``.
        metrics: the model's measured figures.
        found: how many faces the photo has.
    """
    if not faces:
        return message(NO_FACE)
    several = len(faces) > 1
    cards = "".join(
        _card(number, face, crop, several, config, metrics)
        for number, (face, crop) in enumerate(zip(faces, crops, strict=True), start=1)
    )
    more = ""
    if found is not None and found > len(faces):
        more = f'<p class="said" role="status">{found} faces were found; this is the clearest. Tick “Show all faces” for the others.</p>'
    return f'<div class="several">{cards}</div>' if several else cards + more


def _card(
    number: int, face: dict, crop: PIL.Image.Image | None, several: bool, config: dict, metrics: dict | None
) -> str:
    doubted = is_doubted(face, config)
    name = (
        f'<h2><span class="number">{number}</span>{"Perhaps not a face" if doubted else f"Face {number}"}</h2>'
        if several
        else ""
    )
    small = (
        "" if crop is None else f'<img class="crop" src="{data_uri(crop)}" alt="What the network saw of face {number}">'
    )
    curve = ""
    if not several and face.get("age_distribution"):
        curve = distribution(face["age_distribution"], face["age"], face["age_interval"])
    return (
        f'<section class="card face{" doubted" if doubted else ""}" style="--face:{colour_of(number)}" aria-label="Face {number}">'
        f"{name}{small}{_age(face, metrics)}{_warnings(face)}{_gender(face, config['decision'], metrics)}{curve}"
        f"{'' if several else _worth(face, metrics)}</section>"
    )


def _age(face: dict, metrics: dict | None) -> str:
    told = f'<p class="age">about <b>{face["age"]:.0f}</b> years</p>'
    if face["age_interval"]:
        low, high = face["age_interval"]
        told += f'<p class="range">80%: {low:.0f} to {high:.0f}</p>'
    return told


def _warnings(face: dict) -> str:
    """Each warning directly under the number: what is the matter large, what it cost in tests small."""
    alerts = []
    if face.get("rotation"):
        alerts.append((f"The photo was turned by {face['rotation']}° to the left to find this face.", ""))
    for warning in face.get("warnings", ()):
        what, _, cost = warning.partition("; ")
        alerts.append((what + ".", cost[:1].upper() + cost[1:]))
    return "".join(
        f'<div class="alert" role="note"><b>{html.escape(what)}</b><span>{html.escape(cost)}</span></div>'
        for what, cost in alerts
    )


def _gender(face: dict, decision: dict, metrics: dict | None) -> str:
    female = face["female_probability"]
    said = CALLED.get(face["gender"])
    share = f"{max(female, 1 - female):.0%}" if said else f"“female” {female:.0%}"
    told = (
        f'<p class="said">{said}, {share}</p>'
        if said
        else f'<p class="said"><b>gender uncertain</b>: {share}, close to a coin toss</p>'
    )
    heading = ""
    answered = answered_so(face["age"], metrics)
    if face["age"] < CHILD:
        right = answered[1].get("gender_accuracy", {}).get("value") if answered else None
        how = (
            "Hardly better than a guess for children"
            if right is None or right < HARDLY_BETTER
            else "Often wrong for children"
        )
        tests = (
            f": {right:.0%} right in tests of faces answered as {answered[0]}" if answered and right is not None else ""
        )
        heading = f"<p>{how}{tests}.</p>"
    return f'<div class="{"unsure" if heading else "gender"}">{heading}{told}{_bar(female, decision)}</div>'


def _bar(female: float, decision: dict) -> str:
    """A bar from male (0) to female (1) with the uncertain band marked."""
    low, high = 100 * decision["male_below"], 100 * decision["female_above"]
    return (
        f'<div class="bar" role="img" aria-label="{female:.2f} on a scale from 0, male, to 1, female; between '
        f'{low / 100:.2f} and {high / 100:.2f} is uncertain">'
        f'<div class="band" style="left:{low:.0f}%;width:{high - low:.0f}%"></div>'
        f'<div class="mark" style="left:{100 * female:.1f}%"></div></div>'
        '<div class="ends" aria-hidden="true"><span>male</span><span>uncertain</span><span>female</span></div>'
    )


def _worth(face: dict, metrics: dict | None) -> str:
    """One line on what the picture is worth, and how far off such answers were in tests."""
    quality = face.get("quality") or {}
    size = quality.get("face_size")
    if face.get("warnings"):
        worth = "The picture is poor: give this answer little weight."
    elif _is_wide(face, metrics):
        worth = "The picture is clear, and still the model is unsure: the range is unusually wide."
    else:
        worth = f"A clear picture{f', the face {size:.0f} pixels wide' if size else ''}: nothing in it is known to mislead the model."
    found = answered_so(face["age"], metrics)
    if found:
        level, figures = found
        worth += f" In tests, faces answered as {level} were off by {figures['age_mae']['value']:.1f} years on average"
        held = figures.get("age_interval_coverage", {}).get("value")
        worth += f", and the 80% range held for {held:.0%} of them." if held is not None else "."
    return f'<p class="small">{html.escape(worth)}</p>'


def _is_wide(face: dict, metrics: dict | None) -> bool:
    median = ((metrics or {}).get("age_interval_width") or {}).get("median")
    interval = face["age_interval"]
    return bool(interval and median and interval[1] - interval[0] > WIDE * median)
