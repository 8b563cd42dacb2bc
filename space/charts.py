"""What the page draws: curves as SVG, pictures as data URIs, heat maps in colours that colour-blind people tell
apart."""

import base64
import html
import io
import math

import numpy as np
import PIL.Image

WIDTH, HEIGHT = 360, 110
OLDER, YOUNGER, EVIDENCE = (230, 97, 0), (44, 107, 186), (126, 34, 206)  # orange, blue, purple
STRONGEST = 0.7  # of a map over the face beneath it


def data_uri(picture: PIL.Image.Image) -> str:
    """A picture inside the page itself: it is in no file."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def figure(picture: PIL.Image.Image, caption: str, text: str) -> str:
    """A picture with its caption, and what a screen reader says of it."""
    return (
        f'<figure class="picture"><img src="{data_uri(picture)}" alt="{html.escape(text, quote=True)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def heat_over(picture: PIL.Image.Image, heatmap: np.ndarray, target: str) -> PIL.Image.Image:
    """A map laid over the picture of the same size: orange older and blue younger, or purple what speaks for the
    gender."""
    base = np.asarray(picture.convert("RGB")).astype(np.float32)
    strength = STRONGEST * np.abs(heatmap)[..., None].clip(0, 1)
    colour = np.where((heatmap >= 0)[..., None], OLDER, YOUNGER) if target == "age" else np.array(EVIDENCE)
    return PIL.Image.fromarray((base * (1 - strength) + colour * strength).round().astype(np.uint8))


def legend() -> str:
    """What the colours of heat maps mean."""
    told = ((OLDER, "older"), (YOUNGER, "younger"), (EVIDENCE, "for the side that was called"))
    items = "".join(f'<span><i style="background:rgb{colour}"></i>{name}</span>' for colour, name in told)
    return f'<div class="legend">{items}</div>'


def laid_back(heatmap: np.ndarray, square, size: tuple[int, int], scale: float) -> np.ndarray:
    """A face's map where the face is on the photo, 0 elsewhere, as (height, width) float32.

    Args:
        heatmap: (S, S), of the crop.
        square: where the crop lies on the photo: ``x``, ``y``, ``side`` and ``roll``.
        size: width and height of the photo as it is shown.
        scale: of what is shown to the photo.
    """
    x, y, side = square.x * scale, square.y * scale, square.side * scale
    cos, sin = math.cos(math.radians(square.roll)), math.sin(math.radians(square.roll))
    factor = len(heatmap) / side
    middle = len(heatmap) / 2
    matrix = (
        factor * cos,
        factor * sin,
        middle - factor * (cos * x + sin * y),
        -factor * sin,
        factor * cos,
        middle - factor * (cos * y - sin * x),
    )
    drawn = PIL.Image.fromarray(heatmap.astype(np.float32)).transform(
        size, PIL.Image.Transform.AFFINE, matrix, PIL.Image.Resampling.BILINEAR
    )
    return np.asarray(drawn)


def distribution(probabilities: list[float], age: float, interval: list[float] | None) -> str:
    """How the probability lies over the ages: a curve with its mean, the 80% range shaded."""
    top = max(max(probabilities), 1e-6)
    step = WIDTH / (len(probabilities) - 1)
    points = " ".join(
        f"{n * step:.1f},{HEIGHT - 18 - (HEIGHT - 24) * p / top:.1f}" for n, p in enumerate(probabilities)
    )
    shade, told = "", ""
    if interval:
        left, right = (end * step for end in interval)
        shade = (
            f'<rect class="range-shade" x="{left:.1f}" y="0" width="{max(right - left, 1):.1f}" '
            f'height="{HEIGHT - 18}"/>'
        )
        told = f", 80% range {interval[0]:.0f} to {interval[1]:.0f}"
    marks = "".join(f'<text x="{year * step:.1f}" y="{HEIGHT - 4}">{year}</text>' for year in range(0, 101, 20))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Probability over the ages 0 to '
        f'{len(probabilities) - 1}: mean {age:.0f}{told}">{shade}<polyline class="curve" points="{points}"/>'
        f'<line class="mean" x1="{age * step:.1f}" x2="{age * step:.1f}" y1="0" y2="{HEIGHT - 18}"/>{marks}</svg>'
    )


def along_slider(title: str, strengths: list[float], ages: list[float], females: list[float], now: float) -> str:
    """How age (solid) and probability of "female" (dashed) go along a slider, and where it stands."""
    low, high = min(strengths), max(strengths)
    oldest = max(*ages, 1.0)

    def points(values: list[float], most: float) -> str:
        places = (WIDTH * (s - low) / max(high - low, 1e-9) for s in strengths)
        return " ".join(
            f"{x:.1f},{HEIGHT - 18 - (HEIGHT - 24) * v / most:.1f}" for x, v in zip(places, values, strict=True)
        )

    at = WIDTH * (now - low) / max(high - low, 1e-9)
    told = ", ".join(f"{s:g}: {a:.0f} years and {f:.0%}" for s, a, f in zip(strengths, ages, females, strict=True))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Age and probability of female along '
        f'{html.escape(title, quote=True)}. {told}"><polyline class="curve" points="{points(ages, oldest)}"/>'
        f'<polyline class="curve other" points="{points(females, 1.0)}"/>'
        f'<line class="mean" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{HEIGHT - 18}"/>'
        f'<text x="0" y="{HEIGHT - 4}" style="text-anchor:start">{low:g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" style="text-anchor:end">{high:g}</text></svg>'
        f'<p class="small">{html.escape(title)}: age solid (top {oldest:.0f} years), probability of “female” dashed '
        f"(top 100%).</p>"
    )


def bars(title: str, rows: list[tuple[str, float, str, float, str]]) -> str:
    """Two bars a group, with their figures: a table, so that it can be read without seeing it; the worst are marked.

    Args:
        title: above it.
        rows: the group's name; a mean error in years and how it is told; a share of wrong genders and how it is told.
    """
    most = [max([row[place] for row in rows] + [1e-9]) for place in (1, 3)]

    def cell(value: float, told: str, most: float) -> str:
        width = f"{72 * value / most:.0f}%"
        return (
            f'<td class="{"worst" if value == most else ""}"><span><i '
            f'style="width:{width}"></i>{html.escape(told)}</span></td>'
        )

    lines = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>{cell(years, said, most[0])}{cell(wrong, told, most[1])}</tr>'
        for name, years, said, wrong, told in rows
    )
    return (
        f'<table class="bars"><caption>{html.escape(title)}</caption><tr><th scope="col">group</th>'
        f'<th scope="col">age: mean error, years</th><th scope="col">gender wrong</th></tr>{lines}</table>'
    )
