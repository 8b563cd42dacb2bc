"""What the page draws and says: boxes on the photo, a panel a face, passages of the model card."""

import html
import re

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from charts import distribution

LARGEST_SIDE = 2048  # pixels of the photo as it is sent back; WebP, which Gradio sends, ends at 16,383
WIDE = 1.5  # times the median range: an answer that wide says little
CHILD = 13  # years: of faces answered younger, the gender is hardly better than a guess
# Which passages of the card's limitations come first for which answer.
CONCERNS = (
    (lambda face: face["age"] < CHILD, ("child", "young")),
    (lambda face: face["age"] >= 60, ("old", "60", "70")),
    (lambda face: face["gender"] == "uncertain", ("uncertain", "gender")),
    (lambda face: (face.get("quality") or {}).get("face_size", 999) < 48, ("small", "pixel", "resolution")),
    (lambda face: bool(face.get("warnings")), ("blur", "light", "picture")),
)
COLOURS = ("#0b6e4f", "#1d4ed8", "#b45309", "#7e22ce", "#be123c", "#0e7490")


def shown_size(size: tuple[int, int]) -> tuple[tuple[int, int], float]:
    """How large a photo of that size is shown, and the scale."""
    scale = min(LARGEST_SIDE / max(size), 1.0)
    return (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)), scale


def draw_faces(
    image: PIL.Image.Image, faces: list[dict], photo: tuple[int, int] | None = None, numbers: list[int] | None = None
) -> PIL.Image.Image:
    """A copy of the photo, no larger than the page needs, with every face boxed and numbered.

    Args:
        image: the photo, or what is shown in its place.
        faces: prediction dicts.
        photo: the photo's width and height, in whose pixels the boxes are; by default the image's.
        numbers: of the faces; by default from 1.
    """
    size, scale = shown_size(photo or image.size)
    drawn = image.resize(size, reducing_gap=2.0)
    pen = PIL.ImageDraw.Draw(drawn)
    unit = max(min(drawn.size) // 160, 2)
    font = PIL.ImageFont.load_default(size=unit * 8)
    for number, face in zip(numbers or range(1, len(faces) + 1), faces, strict=True):
        colour = COLOURS[(number - 1) % len(COLOURS)]
        box = {side: round(value * scale) for side, value in face["box"].items()}
        corners = (box["xmin"], box["ymin"], box["xmax"], box["ymax"])
        pen.rectangle(corners, outline=colour, width=unit)
        left, top, right, bottom = pen.textbbox((0, 0), str(number), font=font)
        label = (box["xmin"], box["ymin"], box["xmin"] + right - left + 4 * unit, box["ymin"] + bottom - top + 4 * unit)
        pen.rectangle(label, fill=colour)
        pen.text((box["xmin"] + 2 * unit - left, box["ymin"] + 2 * unit - top), str(number), fill="white", font=font)
    return drawn


def describe_faces(faces: list[dict], decision: dict, metrics: dict | None = None) -> str:
    """The answers as HTML: one panel a face, or the sentence for a photo without one."""
    if not faces:
        return message(
            "No face was found, neither upright nor turned. A clear, well-lit photo in which the face is larger than a "
            "fiftieth of the picture works best."
        )
    return "".join(_panel(number, face, decision, metrics) for number, face in enumerate(faces, start=1))


def message(text: str) -> str:
    """One sentence for the user, as HTML."""
    return f'<p class="note" role="status">{html.escape(text)}</p>'


def _panel(number: int, face: dict, decision: dict, metrics: dict | None) -> str:
    age = f"about {face['age']:.0f} years"
    if face["age_interval"]:
        low, high = face["age_interval"]
        age += f" <small>(80 % range: {low:.0f} to {high:.0f})</small>"
    female = face["female_probability"]
    sentence = {
        "female": f"perceived as female, probability {female:.0%}",
        "male": f"perceived as male, probability {1 - female:.0%}",
        "uncertain": f"uncertain: the model cannot tell (probability of “female” {female:.0%})",
    }[face["gender"]]
    colour = COLOURS[(number - 1) % len(COLOURS)]
    notes = [f"⚠ {warning}" for warning in face.get("warnings", ())]
    if face.get("rotation"):
        notes.insert(0, f"The photo was turned by {face['rotation']}° to the left to find this face.")
    warned = "".join(f'<p class="warning">{html.escape(note)}</p>' for note in notes)
    weak = weaknesses(face, metrics)
    doubt = f'<p class="doubt">Give this little weight: {html.escape("; ".join(weak))}.</p>' if weak else ""
    curve = (
        distribution(face["age_distribution"], face["age"], face["age_interval"])
        if face.get("age_distribution")
        else ""
    )
    return (
        f'<section class="face{" weak" if weak else ""}" style="border-color:{"#71717a" if weak else colour}" '
        f'aria-label="Face {number}">'
        f"<h3>Face {number}</h3>{doubt}<p><b>Age:</b> {age}</p>{curve}<p><b>Gender:</b> {sentence}</p>{_bar(female, decision)}"
        f"{warned}{_error_note(face['age'], metrics)}</section>"
    )


def weaknesses(face: dict, metrics: dict | None) -> list[str]:
    """Why an answer should be given little weight, in a few words each."""
    reasons = []
    median = ((metrics or {}).get("age_interval_width") or {}).get("median")
    if face["age_interval"] and median and face["age_interval"][1] - face["age_interval"][0] > WIDE * median:
        reasons.append("the range of ages is very wide")
    if face["gender"] == "uncertain":
        reasons.append("the gender is close to a coin toss")
    if face.get("warnings"):
        reasons.append("the picture is poor")
    return reasons


def beside_answer(faces: list[dict], card: str) -> str:
    """What to keep in mind, from the card's limitations: first what concerns these answers."""
    points = [line.strip("- ").strip() for line in _points(card_section(card, "Limitations"))]
    wanted = [words for test, words in CONCERNS if any(test(face) for face in faces)]
    first = [point for point in points if any(word in point.lower() for words in wanted for word in words)]
    rest = [point for point in points if point not in first]
    if not points:
        return ""
    items = "".join(f"<li>{_inline(point)}</li>" for point in [*first, *rest])
    return f"<h2>Limitations</h2><ul>{items}</ul>"


def _points(text: str) -> list[str]:
    """The list items of a passage in Markdown, each on one line."""
    return [" ".join(item.split()) for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]]


def _inline(text: str) -> str:
    """A line of Markdown as HTML: bold, code and links' texts."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", html.escape(text))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text))


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


def answered_so(age: float, metrics: dict | None) -> tuple[str, dict] | None:
    """The level of predicted ages that an answer is of, and its figures in tests."""
    for level, figures in (metrics or {}).get("by_predicted_age", {}).items():
        low, high = map(int, level.split("-"))
        if low <= age < high + 1:
            return level, figures
    return None


def _error_note(age: float, metrics: dict | None) -> str:
    """How far off the model was for faces that it answered so; of children also how often the gender was right."""
    found = answered_so(age, metrics)
    if not found:
        return ""
    level, figures = found
    note = f"Faces answered as {level} were off by {figures['age_mae']['value']:.1f} years on average in tests"
    if age < CHILD and "gender_accuracy" in figures:
        note += f"; the gender was right for {figures['gender_accuracy']['value']:.0%} of them"
    return f'<p class="small">{note}.</p>'


def card_section(card: str, title: str) -> str:
    """The text under ``## title`` of a model card in Markdown, "" where there is no such section."""
    match = re.search(rf"^## {re.escape(title)}\s*\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def group_table(metrics: dict | None) -> str:
    """The model's errors by group as a Markdown table, "" without metrics."""
    if not metrics:
        return ""
    rows = ["| group | faces | age error, years | gender right |", "|---|---|---|---|"]
    for factor in ("age", "gender", "race"):
        for level, figures in metrics["groups"][factor].items():
            mae, accuracy = figures["age_mae"], figures["gender_accuracy"]
            rows.append(f"| {factor} {level} | {mae['n']} | {mae['value']:.1f} | {accuracy['value']:.0%} |")
    return "\n".join(rows)
