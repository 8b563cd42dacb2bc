"""Faces drawn on the photo: a box each, numbered where there are several, dashed where it is perhaps none."""

import colorsys

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

LARGEST_SIDE = 2048  # pixels of the photo as it is sent back; WebP, which Gradio sends, ends at 16,383
GOLDEN_ANGLE = 137.508  # degrees: colours of faces one after another are far apart, and none comes twice


def colour_of(number: int) -> str:
    """The colour of a face by its number from 1, dark enough for white letters."""
    hue = (168 + GOLDEN_ANGLE * (number - 1)) % 360
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue / 360, 0.27, 0.75))


def shown_size(size: tuple[int, int], largest: int = LARGEST_SIDE) -> tuple[tuple[int, int], float]:
    """How large a photo of that size is shown, and the scale."""
    scale = min(largest / max(size), 1.0)
    return (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)), scale


def draw_faces(
    image: PIL.Image.Image,
    faces: list[dict],
    photo: tuple[int, int] | None = None,
    numbers: list[int] | None = None,
    unlikely: frozenset[int] = frozenset(),
    largest: int = LARGEST_SIDE,
) -> PIL.Image.Image:
    """A copy of the photo, no larger than the page needs, with every face boxed, and numbered where there are several.

    Args:
        image: the photo, or what is shown in its place.
        faces: prediction dicts.
        photo: the photo's width and height, in whose pixels the boxes are; by default the image's.
        numbers: of the faces; by default from 1.
        unlikely: numbers of the faces that are drawn dashed.
        largest: longer side of the copy, pixels.
    """
    size, scale = shown_size(photo or image.size, largest)
    drawn = image.resize(size, reducing_gap=2.0)
    pen = PIL.ImageDraw.Draw(drawn)
    unit = max(min(drawn.size) // 150, 3)
    font = PIL.ImageFont.load_default(size=max(unit * 7, 12))
    for number, face in zip(numbers or range(1, len(faces) + 1), faces, strict=True):
        colour = colour_of(number)
        left, top, right, bottom = (round(face["box"][side] * scale) for side in ("xmin", "ymin", "xmax", "ymax"))
        if number in unlikely:
            _dashed(pen, (left, top, right, bottom), colour, unit)
        else:
            pen.rectangle((left, top, right, bottom), outline=colour, width=unit)
        if len(faces) > 1:
            _label(pen, str(number), (left, top, right, bottom), drawn.size, font, colour, unit)
    return drawn


def _label(pen, text: str, box: tuple, size: tuple[int, int], font, colour: str, unit: int) -> None:
    """A face's number above its box, below it where there is no room, and only then inside: small faces stay seen."""
    across, down = (round(length) for length in pen.textbbox((0, 0), text, font=font, anchor="lt")[2:])
    width, height = across + 4 * unit, down + 4 * unit
    left = min(max(box[0], 0), max(size[0] - width, 0))
    top = box[1] - height
    if top < 0:
        top = box[3] if box[3] + height <= size[1] else box[1]
    pen.rectangle((left, top, left + width, top + height), fill=colour)
    pen.text((left + 2 * unit, top + 2 * unit), text, fill="white", font=font, anchor="lt")


def _dashed(pen, box: tuple, colour: str, unit: int) -> None:
    left, top, right, bottom = box
    dash = 4 * unit
    for start in range(left, right, 2 * dash):
        for y in (top, bottom):
            pen.line((start, y, min(start + dash, right), y), fill=colour, width=unit)
    for start in range(top, bottom, 2 * dash):
        for x in (left, right):
            pen.line((x, start, x, min(start + dash, bottom)), fill=colour, width=unit)
