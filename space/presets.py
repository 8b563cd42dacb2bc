"""What happens to a face in everyday photos, one tap each: the same face before and after, and how the answer moved."""

import dataclasses
import html

import PIL.Image
from charts import figure
from demo import Demo, Face


@dataclasses.dataclass(frozen=True)
class Preset:
    """A change in people's words: its name on the button, how it begins a sentence, and the named changes it is made
    of."""

    name: str
    title: str
    sentence: str
    changes: tuple[tuple[str, float], ...]


PRESETS = (
    Preset("dark", "Dark room", "In a dark room", (("dim", 0.3),)),
    Preset("back_light", "Strong back light", "In front of a bright window", (("back_light", 0.8),)),
    Preset("coloured", "Coloured light", "Under red light", (("coloured_light", 1),)),
    Preset("glasses", "Sunglasses", "With sunglasses", (("glasses", 1),)),
    Preset("mask", "Mask", "With a mask", (("mask", 1),)),
    Preset("cap", "Cap", "With a cap", (("cap", 1),)),
    Preset("messenger", "Messenger photo", "As a messenger sends it", (("pixels", 96), ("jpeg", 30))),
    Preset("far", "From far away", "From far away", (("pixels", 32),)),
    Preset("turned", "Head turned", "With the head turned", (("squeeze", 0.75),)),
    Preset("mirrored", "Mirrored", "In the mirror", (("mirror", 1),)),
    Preset("grey", "Black and white", "In black and white", (("saturation", 0),)),
)
MOVES_FRAME = ("margin", "tilt", "squeeze")  # changes that want to know what is around the face


def changed(changes, face: Face, steps: list[tuple[str, float]]) -> PIL.Image.Image:
    """A face as the network is shown it after some named changes.

    Args:
        changes: the model's module of named changes.
        face: with its neighbourhood, from which the frame is cut where it moves.
        steps: names and strengths, in their order, those that move the frame first.
    """
    moving = [step for step in steps if step[0] in MOVES_FRAME and step[1] != changes.UNCHANGED[step[0]]]
    picture = face.crop
    if moving:
        wide, margin = face.around, 0.0
        for name, strength in moving:
            if name == "margin":
                margin = strength
            else:
                wide = changes.CHANGES[name](wide, strength)
        half = face.crop.width * (0.5 + margin)
        middle = wide.width / 2
        box = (middle - half, middle - half, middle + half, middle + half)
        picture = wide.resize(face.crop.size, PIL.Image.Resampling.BILINEAR, box=box)
    for name, strength in steps:
        if name not in MOVES_FRAME and strength != changes.UNCHANGED[name]:
            picture = changes.CHANGES[name](picture, strength)
    return picture


def signed(number: int) -> str:
    """A whole number with its sign, as it is set in print."""
    return f"{number:+d}".replace("-", "−")


def told(prediction) -> str:
    """An answer in a few words."""
    return f"about {prediction.age:.0f} years, “female” {prediction.female_probability:.0%}"


def moved(first, now) -> str:
    """How far an answer moved, in words."""
    points = round(100 * (now.female_probability - first.female_probability))
    years = round(now.age) - round(first.age)
    age = (
        f"{abs(years)} year{'s' if abs(years) != 1 else ''} {'older' if years > 0 else 'younger'}"
        if years
        else "the same age"
    )
    gender = (
        f"“{now.gender}” instead of “{first.gender}”"
        if now.gender != first.gender
        else f"“female” {signed(points)} points"
    )
    return f"{age}, {gender}"


def story(demo: Demo, face: Face) -> str:
    """All presets of a face as HTML: before, after, what it did, and a button each; shown first is what moved the age
    most."""
    changes = demo.part("pictures.changes")
    pictures = [changed(changes, face, list(preset.changes)) for preset in PRESETS]
    first, *answers = (found[0] for found in demo.predictor([face.crop, *pictures], faces="none"))
    by_age = max(range(len(PRESETS)), key=lambda place: abs(answers[place].age - first.age))
    by_gender = max(
        range(len(PRESETS)), key=lambda place: abs(answers[place].female_probability - first.female_probability)
    )
    afters, chips = [], []
    for place, (preset, picture, now) in enumerate(zip(PRESETS, pictures, answers, strict=True)):
        hidden, pressed = ("", "true") if place == by_age else (" hidden", "false")
        warned = now.warnings[0].partition(". ")[0] + "." if now.warnings else "There is no warning."
        sentence = f"{preset.sentence}: {moved(first, now)}."
        afters.append(
            f'<div data-after="{preset.name}"{hidden}>{_pair(face.crop, picture, first, now, preset.title)}'
            f'<p class="moved"><b>{html.escape(sentence)}</b></p><p class="small">{html.escape(warned)}</p></div>'
        )
        years = round(now.age) - round(first.age)
        chips.append(
            f'<button type="button" data-preset="{preset.name}" '
            f'aria-pressed="{pressed}">{html.escape(preset.title)} '
            f"<b>{signed(years)}</b></button>"
        )
    return (
        f'<div class="card story"><div aria-live="polite">{"".join(afters)}</div><div><div class="chips" role="group" '
        f'aria-label="What happens to the photo">{"".join(chips)}</div><p class="said" id="fragile"><b>Most '
        f"fragile:</b> "
        f"{_fragile(first, answers, by_age, by_gender)}</p></div></div>"
    )


def _pair(before: PIL.Image.Image, after: PIL.Image.Image, first, now, title: str) -> str:
    return (
        f'<div class="pair">{figure(before, f"As it is: {told(first)}", "The face as it is")}'
        f"{figure(after, f'{title}: {told(now)}', f'The same face: {title}')}</div>"
    )


def _fragile(first, answers: list, by_age: int, by_gender: int) -> str:
    years = answers[by_age].age - first.age
    points = 100 * (answers[by_gender].female_probability - first.female_probability)
    subject = "and" if by_age == by_gender else f"“{PRESETS[by_gender].title}” moves"
    return html.escape(
        f"“{PRESETS[by_age].title}” moves the age by {signed(round(years))} "
        f"years{',' if by_age != by_gender else ''} {subject} the "
        f"probability of “female” by {signed(round(points))} points."
    )
