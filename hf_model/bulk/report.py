"""Who is in a labelled dataset, as a page: counted shares, and what the model's own errors make of them.

A model that mistakes one face in twenty counts the wrong share even of a dataset that it reads without end. The test
split's confusion says how often each label gets each answer, so the shares of the labels are estimated that make the
counted answers likeliest; intervals come from drawing both the counts and the confusion again. They hold as far as the
dataset's faces are mistaken as often as UTKFace's test faces are, which nobody knows.

Source: Rogan & Gladen, Estimating prevalence from the results of a screening test, Am J Epidemiol 1978; the estimate is
D'Agostini's, A multidimensional unfolding method based on Bayes' theorem, 1995, without smoothing.
"""

import pathlib
from collections.abc import Iterable

import numpy as np

RESAMPLES = 300
STEPS = 200
GENDERS = ("male", "uncertain", "female")
STYLE = (
    '<!doctype html><meta charset="utf-8"><style>body{font-family:sans-serif;max-width:60rem;margin:2rem auto}'
    "td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ccc}td:first-child{text-align:left}</style>"
)
GROWN = 13  # years: below, the confusion of genders was not measured


def likeliest_shares(counts: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """(L,) shares of labels under which (A,) counted answers are likeliest.

    Args:
        counts: how often each answer was given.
        confusion: (L, A) how often each label got each answer in tests.
    """
    given = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares = np.full(len(confusion), 1 / len(confusion))
    for _ in range(STEPS):
        expected = np.maximum(shares @ given, 1e-12)
        shares = shares * (given @ (counts / expected))
        shares /= max(shares.sum(), 1e-12)
    return shares


def corrected_shares(counts, confusion, seed: int = 0) -> list[tuple[float, float, float]]:
    """(share, low, high) of each label: the estimate, and 95 % of what drawing counts and confusion again gives."""
    counts, confusion = np.asarray(counts, float), np.asarray(confusion, float)
    random = np.random.default_rng(seed)
    n = int(counts.sum())
    drawn = []
    for _ in range(RESAMPLES):
        # A half added to every cell: what was never seen among so few faces can happen.
        rows = np.stack([random.dirichlet(row + 0.5) for row in confusion])
        drawn.append(likeliest_shares(random.multinomial(n, counts / n), rows))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return list(zip(likeliest_shares(counts, confusion).tolist(), low.tolist(), high.tolist(), strict=True))


def count(tables: Iterable, bands: list[str]) -> dict:
    """What labelled rows hold, counted: Arrow tables with ``faces`` and ``error``.

    Returns:
        ``pictures``, ``faces``, ``without_face``, ``unusable``, ``warned`` (faces with a warning), ``ages`` (by band)
        and ``genders`` (male, uncertain, female; of faces of 13 and older, by their estimated age).
    """
    starts = np.array([int(band.split("-")[0]) for band in bands])
    ages, genders = np.zeros(len(bands), int), np.zeros(3, int)
    told = dict.fromkeys(("pictures", "faces", "without_face", "unusable", "warned"), 0)
    for table in tables:
        for faces, error in zip(table["faces"].to_pylist(), table["error"].to_pylist(), strict=True):
            told["pictures"] += 1
            told["unusable"] += error is not None
            told["without_face"] += error is None and not faces
            for face in faces:
                told["faces"] += 1
                told["warned"] += bool(face["warnings"])
                ages[np.searchsorted(starts, face["age"], side="right") - 1] += 1
                genders[GENDERS.index(face["gender"])] += face["age"] >= GROWN
    return told | {"ages": ages, "genders": genders}


def render_report(name: str, counted: dict, metrics: dict) -> str:
    """The page, in Markdown.

    Args:
        name: of the dataset.
        counted: from :func:`count`, by the bands of ``metrics["confusion"]``.
        metrics: the model's ``metrics.json``.
    """
    confusion, errors = metrics["confusion"], metrics["groups"]["age"]
    ages, genders = counted["ages"], counted["genders"]
    lines = [
        f"# Who is in {name}, as a model guesses",
        "",
        f"{counted['pictures']} pictures, {counted['faces']} faces. {counted['without_face']} pictures have no face "
        f"that was "
        f"found, {counted['unusable']} could not be read; {counted['warned']} faces came with a warning about their "
        f"picture.",
        "",
        '**These are guesses, not facts about people.** "Estimated" corrects the counts by how often the model mistook '
        f"UTKFace's test faces ({metrics['overall']['age_mae']['n']}; mean error "
        f"{metrics['overall']['age_mae']['value']:.1f} years, "
        f"gender right for {metrics['overall']['gender_accuracy']['value']:.1%}); if it mistakes these faces more "
        f"often, and on other "
        "people's photos it does, the truth lies outside. Do not decide anything about anyone by it.",
        "",
        "## Age",
        "",
        "| band | counted | share | estimated share | 95 % interval | mean error there in tests, years |",
        "|---|---|---|---|---|---|",
    ]
    if ages.sum():
        corrected = corrected_shares(ages, confusion["age"])
        for band, number, (share, low, high) in zip(confusion["age_bands"], ages, corrected, strict=True):
            error = f"{errors[band]['age_mae']['value']:.1f}" if band in errors else "–"
            lines.append(
                f"| {band} | {number} | {number / ages.sum():.1%} | {share:.1%} | {low:.1%} to {high:.1%} | {error} |"
            )
    lines += [
        "",
        f"## Perceived gender, of faces guessed to be {GROWN} or older",
        "",
        "| answer | counted | share |",
        "|---|---|---|",
    ]
    total = max(genders.sum(), 1)
    lines += [
        f"| {gender} | {number} | {number / total:.1%} |" for gender, number in zip(GENDERS, genders, strict=True)
    ]
    if genders.sum():
        lines += [
            "",
            "| label, as UTKFace's annotators would give it | estimated share | 95 % interval |",
            "|---|---|---|",
        ]
        labels = zip(("male", "female"), corrected_shares(genders, confusion["gender"]), strict=True)
        lines += [f"| {label} | {share:.1%} | {low:.1%} to {high:.1%} |" for label, (share, low, high) in labels]
    return "\n".join(lines) + "\n"


def write_report(path: pathlib.Path, name: str, tables: Iterable, metrics: dict) -> None:
    """Writes the page; as HTML where the name ends so.

    Raises:
        ValueError: the model's metrics have no confusion, as version 0.1.0's.
    """
    if "confusion" not in metrics:
        raise ValueError("--report needs the confusion in the model's metrics.json, which this model does not have.")
    text = render_report(name, count(tables, metrics["confusion"]["age_bands"]), metrics)
    if path.suffix.lower() in (".html", ".htm"):
        text = _as_html(text)
    path.write_text(text, encoding="utf-8")


def _as_html(text: str) -> str:
    """The page as HTML.

    Raises:
        ImportError: the library for that is missing.
    """
    try:
        import markdown_it
    except ImportError as error:
        raise ImportError(
            "--report as HTML needs markdown-it-py: pip install markdown-it-py (or write it as .md)"
        ) from error
    return STYLE + markdown_it.MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
