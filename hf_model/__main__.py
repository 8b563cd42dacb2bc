"""Command line: `python -m hf_model photo.jpg [more.jpg | folder] [--faces all] [--json] [--engine E] [--precision
P]`."""

import argparse
import contextlib
import json
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

from .console import run_command
from .network.engines.choice import ENGINES, PRECISIONS
from .pictures.folders import list_files
from .pictures.images import picture_endings
from .pictures.inputs import InvalidImageError
from .predictor import FACES, AgeGenderPredictor

CHUNK = 32  # photos read ahead for one batch


def expand(inputs: list[str], formats: Sequence[str] | None) -> Iterator[str]:
    """The given files, and the picture files of given folders, in order."""
    endings = picture_endings(formats)
    for name in inputs:
        path = pathlib.Path(name) if os.path.lexists(name) else pathlib.Path(name).expanduser()
        if path.is_dir():
            yield from map(str, list_files(path, endings).values())
        else:
            yield str(path)


@contextlib.contextmanager
def native_noise_held_back():
    """Keeps what C++ code writes to stderr out of the way: TensorFlow greets before its log level is read.

    Python's own stderr stays as it is. On an error the held-back text is written after all.
    """
    try:
        sys.stderr.flush()
        original = os.dup(2)
    except OSError:  # closed by who started this: there is nothing to keep clean
        yield
        return
    python_stderr, sys.stderr = sys.stderr, os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(original, held.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
            sys.stderr.close()
            sys.stderr = python_stderr


def line(name: str, number: int, count: int, face: dict) -> str:
    """One face as one line of text, and one more for each warning."""
    age = f"age {face['age']:.0f}"
    if face["age_interval"]:
        age += " ({:.0f} to {:.0f})".format(*face["age_interval"])
    which = f" face {number}/{count}" if count > 1 else ""
    box = " at x {xmin}-{xmax}, y {ymin}-{ymax}".format(**face["box"]) if face["box"] else ""
    turned = f", after turning the photo by {face['rotation']}° to the left" if face["rotation"] else ""
    warnings = "".join(f"\n    {warning}" for warning in face["warnings"])
    return (
        f"{name}:{which} {age}, {face['gender']} (P(female) = {face['female_probability']:.2f}){box}{turned}{warnings}"
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hf_model",
        description="Age and perceived gender of the faces in photos. Exits 2 if a file was unusable.",
    )
    parser.add_argument("inputs", nargs="+", metavar="PHOTO", help="picture files, or folders of them")
    parser.add_argument(
        "--faces", choices=FACES, default="most_confident", help="'none': the files are face chips already"
    )
    parser.add_argument("--json", action="store_true", help="JSON Lines: {image, faces} or {image, error}")
    parser.add_argument("--distribution", action="store_true", help="with --json: the probabilities of all ages too")
    parser.add_argument(
        "--model", default=str(pathlib.Path(__file__).parent), help="folder or Hub repo (default: this one)"
    )
    parser.add_argument("--engine", choices=["auto", *ENGINES], default="auto", help="default: the fastest there is")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="int8 is fastest, and moves ages a little"
    )
    args = parser.parse_args(argv)
    failed = False
    with native_noise_held_back():
        try:
            predictor = AgeGenderPredictor.from_pretrained(args.model, engine=args.engine, precision=args.precision)
        except (FileNotFoundError, ValueError, ImportError) as error:
            print(error, file=sys.stderr)
            return 2
        names = list(expand(args.inputs, predictor.settings.reading.formats))
        if not names:
            print(f"{', '.join(args.inputs)}: no picture files in there", file=sys.stderr)
            return 2
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            for name, result in zip(chunk, predictor(chunk, faces=args.faces, on_error="return"), strict=True):
                failed |= isinstance(result, InvalidImageError)
                _print(name, result, args.json, args.distribution)
    return 2 if failed else 0


def as_json_text(row: dict) -> str:
    """A row as JSON; where the output cannot hold a letter, and would show it in a way that is no JSON, escaped."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(row, ensure_ascii=not is_utf8)
    return text if text.isprintable() or not is_utf8 else json.dumps(row)


def _print(name: str, result, as_json: bool, distribution: bool) -> None:
    if isinstance(result, InvalidImageError):
        print(result, file=sys.stderr)
        if as_json:
            print(as_json_text({"image": name, "error": result.reason}))
        return
    faces = [face.to_dict(distribution) for face in result]
    if as_json:
        print(as_json_text({"image": name, "faces": faces}))
    elif not faces:
        print(f"{name}: no face found")
    else:
        for number, face in enumerate(faces, start=1):
            print(line(name, number, len(faces), face))


if __name__ == "__main__":
    sys.exit(run_command(main))
