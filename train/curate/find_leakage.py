"""Finds faces that are measured on and may show a photo that trains too, in another cut: what a report must tell of.

    python -m train.curate.find_leakage UTKFACE --also fairface=SET [--also ...] --measured FOLDER [--measured ...]

UTKFace's test faces, and the faces of the measuring folders (photos, or Parquet of a validation split), are compared
with all that trains, as :mod:`train.curate.across` compares. Written for the weights that are there; ``python -m
train.measure leakage`` says what it does to their figures. Looked at on UTKFace, FairFace and APPA-REAL: of the pairs
with a correlation above 0.98 all show one photo, of those between 0.95 and 0.98 about a third, below hardly any.
"""

import argparse
import io
import json
import pathlib

import datasets
import numpy as np
import PIL.Image

from dataset_script import utkface
from hf_model.console import expanded_path
from hf_model.download import WEIGHTS_NAME, file_sha256, write_whole
from train.curate import across
from train.curate.find_duplicates import LEFT_OUT

HERE = pathlib.Path(__file__).resolve()
LISTED = HERE.parents[1] / "measure" / "report" / "leakage.json"
MODEL = HERE.parents[2] / "hf_model"
MIN_CORRELATION = 0.95


def read_utkface(paths: list[str]) -> dict[str, across.Set]:
    """UTKFace's faces by split, as they train and are measured on."""
    manifest = utkface.read_manifest(str(pathlib.Path(utkface.__file__).with_name(utkface.MANIFEST)))
    records, _ = utkface.index_files(paths, manifest, check_images=False)
    wanted = {record.source: record for record in records if not record.label_conflict}
    found: dict[str, tuple[list[str], list[np.ndarray]]] = {}
    for path in sorted({source.path for source in wanted}):
        for source, data in utkface.iter_bytes(path):
            if source in wanted:
                shas, grey = found.setdefault(wanted[source].split, ([], []))
                shas.append(wanted[source].sha256)
                with PIL.Image.open(io.BytesIO(data)) as image:
                    grey.append(across.grey_chips([np.asarray(image.convert("RGB"))])[0])
    return {name: across.Set(shas, shas, np.stack(grey)) for name, (shas, grey) in found.items()}


def read_measured(folder: pathlib.Path) -> across.Set:
    """The faces of a measuring folder, called as :mod:`train.measure.raw.labels` calls them: by file, or by row of the
    Parquet."""
    files = sorted(map(str, [*folder.glob("validation*.parquet"), *folder.glob("data/validation*.parquet")]))
    if files:
        split = datasets.load_dataset("parquet", data_files={"validation": files}, split="validation")
        faces = across.of_split(split, folder.name)
        return across.Set(faces.sha256, [f"{row:06d}" for row in range(len(faces))], faces.grey)
    from hf_model import AgeGenderPredictor

    return across.read_measured(folder, AgeGenderPredictor.from_pretrained(MODEL))


def find_leakage(measured: across.Set, trained: dict[str, across.Set]) -> dict[str, dict]:
    """By name of a measured face the nearest picture that trains: its set and sha256, and the correlation."""
    found: dict[str, dict] = {}
    for name, pictures in trained.items():
        for row, other, likeness in across.find_shared(measured.grey, pictures.grey, least=MIN_CORRELATION):
            told = {"trained": name, "sha256": pictures.sha256[other], "correlation": round(likeness, 3)}
            before = found.get(measured.names[row])
            if before is None or before["correlation"] < told["correlation"]:
                found[measured.names[row]] = told
    return dict(sorted(found.items()))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.curate.find_leakage", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("data_dir", nargs="+", help="folders or archives of UTKFace")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=SET",
        help="a further set that trains, as for find_duplicates",
    )
    parser.add_argument(
        "--measured", action="append", type=expanded_path, default=[], help="a folder that is measured on"
    )
    parser.add_argument(
        "--left-out", type=expanded_path, default=LEFT_OUT, help="the list that the training kept to, as in its commit"
    )
    parser.add_argument("--out", type=expanded_path, default=LISTED)
    args = parser.parse_args(argv)
    if any("=" not in also for also in args.also):
        parser.error("--also is given as NAME=SET: the name is what train/recipes call the set")
    home = read_utkface(args.data_dir)
    trained = {"utkface": home["train"]}
    left_out = across.read_list(args.left_out)
    for also in args.also:
        name, _, place = also.partition("=")
        trained[name] = across.read_parquet_set(place).without(left_out)
    sets = {"utkface": home["test"]} | {folder.name: read_measured(folder) for folder in args.measured}
    leaked = {name: find_leakage(faces, trained) for name, faces in sets.items()}
    for name, listed in leaked.items():
        print(f"{name}: {len(listed)} of {len(sets[name])} faces may show a photo that trains")
    found = {"weights_sha256": file_sha256(MODEL / WEIGHTS_NAME), "min_correlation": MIN_CORRELATION, "leaked": leaked}
    write_whole(args.out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
