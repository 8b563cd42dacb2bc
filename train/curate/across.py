"""Pictures of one set that stand in another too, or show a face that is measured on: those that must not train.

Faces come as chips framed alike (UTKFace's, FairFace's crops of margin 0.25, this project's own): candidates by the
cosine of small grey thumbnails, confirmed by the normalized correlation of their middles over small shifts and scales.
Looked at on FairFace: among the pictures behind one measuring set, true pairs lie above 0.98, hardly anything between
0.95 and 0.98.
"""

import csv
import dataclasses
import hashlib
import io
import pathlib
from collections.abc import Iterable

import cv2
import datasets
import numpy as np
import PIL.Image

from hf_model.download import write_whole

SIDE = 96  # of a grey chip
THUMBNAIL = 16
MIDDLE = slice(20, 76)
SEARCHED = slice(13, 83)  # shifts of up to 7 of 96 pixels
SCALES = (0.92, 0.96, 1.0, 1.04, 1.08)
MIN_COSINE = 0.80  # of thumbnails, for a candidate
MIN_CORRELATION = 0.93
COLUMNS = ("sha256", "set", "file", "why")


@dataclasses.dataclass
class Set:
    """Pictures of one set: ``sha256`` of each file, what it is called, and its ``grey`` chips (N, 96, 96) uint8."""

    sha256: list[str]
    names: list[str]
    grey: np.ndarray

    def __len__(self) -> int:
        return len(self.sha256)

    def without(self, shas: Iterable[str]) -> "Set":
        """All but the pictures of those sha256."""
        rows = np.flatnonzero(~np.isin(self.sha256, list(shas)))
        return Set([self.sha256[row] for row in rows], [self.names[row] for row in rows], self.grey[rows])


def read_parquet_set(place: str) -> Set:
    """The training pictures of a folder of Parquet, or of a Hub repo, ``REPO@CONFIG`` where it has several."""
    folder = pathlib.Path(place)
    if folder.is_dir():
        split = datasets.load_dataset("parquet", data_files=str(folder / "**/train*.parquet"), split="train")
    else:
        repo, _, config = place.partition("@")
        split = datasets.load_dataset(repo, config or None, split="train")
    return of_split(split, folder.name)


def of_split(split: datasets.Dataset, title: str) -> Set:
    """The pictures of a split, in its order."""
    files = split.cast_column("image", datasets.Image(decode=False))["image"]
    shas, names, grey = [], [], []
    for file in datasets.utils.tqdm(files, desc=f"Reading {title}", unit=" pictures"):
        data = file["bytes"] or pathlib.Path(file["path"]).read_bytes()
        shas.append(hashlib.sha256(data).hexdigest())
        names.append(pathlib.PurePath(file["path"] or "").name)
        with PIL.Image.open(io.BytesIO(data)) as image:
            grey.append(np.asarray(image.convert("RGB")))
        grey[-1] = grey_chips([grey[-1]])[0]
    return Set(shas, names, np.stack(grey))


def read_measured(folder: pathlib.Path, predictor) -> Set:
    """The faces of a measuring folder's photos, found and cut as the predictor does.

    Args:
        predictor: a :class:`hf_model.AgeGenderPredictor`.
    """
    names, grey = [], []
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    for path in datasets.utils.tqdm(paths, desc=f"Finding faces in {folder.name}", unit=" photos"):
        crops = predictor.analyse(path, faces="all").crops
        names += [path.name] * len(crops)
        grey += list(grey_chips([np.asarray(crop) for crop in crops])) if crops else []
    return Set([""] * len(names), names, np.stack(grey))


def to_leave_out(further: Set, others: dict[str, Set], measured: dict[str, Set]) -> dict[str, tuple[str, str]]:
    """By sha256 what each picture that must not train is called, and why.

    Args:
        further: whose pictures are judged.
        others: sets that are trained on before it, by name: a picture of theirs stays with them.
        measured: sets that are measured on, by name.
    """
    found: dict[str, tuple[str, str]] = {}
    for reason, sets in (("measured face", measured), ("repeat", others)):
        for other in sets.values():
            for row, *_ in find_shared(further.grey, other.grey):
                found.setdefault(further.sha256[row], (further.names[row], reason))
    for row, *_ in find_shared(further.grey, further.grey, within=True):
        found.setdefault(further.sha256[row], (further.names[row], "repeat"))
    return found


def grey_chips(images: Iterable[np.ndarray]) -> np.ndarray:
    """(N, 96, 96) uint8 of (S, S, 3) uint8 RGB chips."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    return np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for image in grey])


def thumbnails(chips: np.ndarray) -> np.ndarray:
    """Mean-free thumbnails of the chips' middles as unit vectors, (N, 256) float32."""
    small = [cv2.resize(chip[MIDDLE, MIDDLE], (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for chip in chips]
    vectors = np.stack(small).reshape(len(chips), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def correlation(chip: np.ndarray, other: np.ndarray) -> float:
    """The largest normalized correlation of one chip's middle with the other, shifted and scaled a little, -1 to 1."""
    best = -1.0
    for scale in SCALES:
        matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), 0, scale)
        scaled = cv2.warpAffine(other, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
        found = cv2.matchTemplate(scaled[SEARCHED, SEARCHED], chip[MIDDLE, MIDDLE], cv2.TM_CCOEFF_NORMED)
        best = max(best, float(found.max()))
    return best


def find_shared(
    chips: np.ndarray, others: np.ndarray, within: bool = False, least: float = MIN_CORRELATION
) -> list[tuple[int, int, float]]:
    """Pairs (row, row of the others, correlation) that show one picture.

    Args:
        chips, others: (N, 96, 96) and (M, 96, 96) from :func:`grey_chips`.
        within: the two are the same array; each pair is then given once, the later row first.
        least: their correlation at least.
    """
    mine, theirs = thumbnails(chips), thumbnails(others)
    pairs: list[tuple[int, int, float]] = []
    blocks = datasets.utils.tqdm(range(0, len(mine), 512), desc="Comparing across sets", unit=" blocks")
    for start in blocks:
        left, right = np.nonzero(mine[start : start + 512] @ theirs.T >= MIN_COSINE)
        left += start
        for row, other in zip(left.tolist(), right.tolist(), strict=True):
            if not within or other < row:
                found = correlation(chips[row], others[other])
                if found >= least:
                    pairs.append((row, other, found))
    return pairs


def update_list(path: pathlib.Path, name: str, found: dict[str, tuple[str, str]]) -> int:
    """Adds a set's pictures to leave out to the committed list, which keeps what it knew; gives its length.

    Args:
        found: by sha256 what the file is called and why it is left out.
    """
    rows = read_list(path)
    for sha, (file_name, why) in found.items():
        rows.setdefault(sha, (sha, name, file_name, why))
    write_table(path, COLUMNS, sorted(rows.values(), key=lambda row: (row[1], row[0])))
    return len(rows)


def read_list(path: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """The rows of the list of pictures to leave out, by sha256; none where there is no list."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["sha256"]: tuple(row[column] for column in COLUMNS) for row in csv.DictReader(file)}


def write_table(path: pathlib.Path, columns: Iterable[str], rows: Iterable[tuple]) -> None:
    """Writes a CSV file, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, text.getvalue())
