"""How far answers move between copies of one photo: `python -m benchmarks.steadiness --photos ../shared/data/appareal_val`.

200 photos whose face is at least 100 pixels wide, seeded, end to end; version 0.2.0 beside the model of this checkout in one run. Of
each copy the mean |Δ age| and the share of genders that change side of a half, against the photo as it is (PNG): JPEG at quality
30 and 85; shrunk to three quarters and to half its size; shifted by up to 8 pixels; mirrored. Only photos are compared in which
both models found a face in every copy. Written to ``benchmarks/steadiness.json``.
"""

import argparse
import pathlib
import tempfile

import numpy as np
import PIL.Image
import PIL.ImageOps

from benchmarks.common import write_report
from benchmarks.sides import OURS, Side, version_020
from hf_model.console import expanded_path

LEAST_FACE = 100  # pixels
MOST_SHIFT = 8  # pixels
ENGINE = {"engine": "onnx", "precision": "float32"}  # that both versions have, in one arithmetic


def copies_of(photo: PIL.Image.Image, random: np.random.Generator) -> dict[str, tuple[PIL.Image.Image, dict]]:
    """The copies by name, and how Pillow is to write each."""
    across, down = random.integers(1, MOST_SHIFT + 1, 2)
    shifted = photo.crop((int(across), int(down), photo.width, photo.height))
    png = {"format": "PNG"}
    sizes = {f"{share:.0%} of its size": share for share in (0.75, 0.5)}
    made: dict[str, tuple[PIL.Image.Image, dict]] = {"as it is": (photo, png)}
    made |= {f"JPEG {quality}": (photo, {"format": "JPEG", "quality": quality}) for quality in (85, 30)}
    for name, share in sizes.items():
        size = (round(photo.width * share), round(photo.height * share))
        made[name] = photo.resize(size, PIL.Image.Resampling.LANCZOS), png
    return made | {"shifted": (shifted, png), "mirrored": (PIL.ImageOps.mirror(photo), png)}


def write_copies(folder: pathlib.Path, photos: list[pathlib.Path]) -> dict[str, list[pathlib.Path]]:
    """All copies as files, by name, each in the order of the photos."""
    random = np.random.default_rng(0)
    files: dict[str, list[pathlib.Path]] = {}
    for number, path in enumerate(photos):
        with PIL.Image.open(path) as opened:
            photo = PIL.ImageOps.exif_transpose(opened).convert("RGB")
        for name, (copy, how) in copies_of(photo, random).items():
            file = folder / f"{number:04d} {name.replace('%', '')}.{how['format'].lower()}"
            copy.save(file, **how)
            files.setdefault(name, []).append(file)
    return files


def chosen(side: Side, folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """So many photos of a folder with a large face, drawn by a seed."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".webp", ".jpg", ".jpeg", ".png")]
    large: list[pathlib.Path] = []
    order = np.random.default_rng(0).permutation(len(paths))
    for start in range(0, len(order), 50):
        some = [paths[place].resolve() for place in order[start : start + 50]]
        for path, faces in zip(some, side.ask(some)["answers"], strict=True):
            if faces and faces[0][2]["xmax"] - faces[0][2]["xmin"] >= LEAST_FACE:
                large.append(path)
        if len(large) >= count:
            break
    return large[:count]


def figures_of(answers: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, dict]:
    """Of each copy how far it moves both answers, from (N, 2) ages and probabilities by name."""
    first = answers["as it is"][rows]
    told = {}
    for name, values in answers.items():
        if name != "as it is":
            moved = np.abs(values[rows, 0] - first[:, 0])
            changed = (values[rows, 1] >= 0.5) != (first[:, 1] >= 0.5)
            told[name] = {"years": round(float(moved.mean()), 3), "genders_changed": round(float(changed.mean()), 4)}
    return told


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steadiness", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--photos", type=expanded_path, required=True, help="folder of photos")
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, version_020() as before:
        sides = {"now": Side(OURS, options=ENGINE), "0.2.0": Side(OURS, before, options=ENGINE)}
        files = write_copies(pathlib.Path(name), chosen(sides["now"], args.photos, args.count))
        answers: dict[str, dict[str, np.ndarray]] = {}
        for title, side in sides.items():
            answers[title] = {
                copy: np.array(
                    [faces[0][:2] if faces else (np.nan, np.nan) for faces in side.ask(some)["answers"]], float
                )
                for copy, some in files.items()
            }
            side.close()
    every = np.stack([values[:, 0] for by_copy in answers.values() for values in by_copy.values()])
    rows = np.flatnonzero(~np.isnan(every).any(axis=0))
    figures: dict = {title: figures_of(by_copy, rows) for title, by_copy in answers.items()}
    figures["times_version_020"] = {
        copy: {
            key: round(value / before, 2) if (before := figures["0.2.0"][copy][key]) else None
            for key, value in told.items()
        }
        for copy, told in figures["now"].items()
    }
    write_report(
        "steadiness", ("onnxruntime", "numpy", "pillow"), {"photos": len(rows), "given": len(every[0]), **figures}
    )


if __name__ == "__main__":
    main()
