"""What travels to the GPU: pictures as their files are, in packs of a size; labels; the weights to begin from.

    python -m train.jobs.gpu.packs --data UTKFACE --also FAIRFACE --also APPAREAL --init-from WEIGHTS --out PACKS

A pack is the number of its pictures (int64), the bytes of each (int32), and the files one after the other.
"""

import argparse
import concurrent.futures
import dataclasses
import hashlib
import io
import json
import mmap
import pathlib
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

import datasets
import numpy as np
import PIL.Image

import hf_model
from hf_model.console import expanded_path
from hf_model.download import WEIGHTS_NAME, file_sha256
from hf_model.pictures.resize import resize
from hf_model.settings import Settings
from train.data import CHIP_SIZE, read_splits

if TYPE_CHECKING:
    from train.recipe import Recipe


def write_packs(blobs: Iterable[bytes], folder: pathlib.Path, most: int) -> list[pathlib.Path]:
    """Writes pictures' files as packs of at most ``most`` bytes."""
    paths: list[pathlib.Path] = []
    part: list[bytes] = []

    def flush() -> None:
        path = folder / f"pictures{len(paths)}.bin"
        sizes = np.array([len(blob) for blob in part], np.int32)
        path.write_bytes(np.int64(len(part)).tobytes() + sizes.tobytes() + b"".join(part))
        paths.append(path)
        part.clear()

    size = 0
    for blob in blobs:
        if part and size + len(blob) > most:
            flush()
            size = 0
        part.append(blob)
        size += len(blob)
    if part:
        flush()
    return paths


def read_packs(folder: pathlib.Path) -> list[bytes]:
    """The pictures' files of all packs, in order."""
    blobs = []
    for path in sorted(folder.glob("pictures*.bin"), key=lambda path: int(path.stem.removeprefix("pictures"))):
        data = memoryview(path.read_bytes())
        n = int(np.frombuffer(data[:8], np.int64)[0])
        sizes = np.frombuffer(data[8 : 8 + 4 * n], np.int32)
        ends = 8 + 4 * n + np.cumsum(sizes)
        blobs += [bytes(data[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
    return blobs


def shared_array(shape: tuple[int, ...], dtype=np.uint8) -> np.ndarray:
    """An array in memory that forked processes share."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


def decode(blobs: list[bytes]) -> np.ndarray:
    """Chips (N, 200, 200, 3) uint8 RGB, in shared memory."""
    chips = shared_array((len(blobs), CHIP_SIZE, CHIP_SIZE, 3))

    def one(row: int) -> None:
        chips[row] = resize(PIL.Image.open(io.BytesIO(blobs[row])), CHIP_SIZE)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(one, range(len(blobs)), chunksize=256))
    return chips


def write_labels(chips, weights, rows: np.ndarray | None, path: pathlib.Path) -> None:
    """Writes what faces are labelled, how they weigh, and which rows a pass shows."""
    columns = {name: getattr(chips, name) for name in ("age_low", "age_high", "gender", "source")}
    if rows is not None:
        columns |= {"age_weight": weights.age.astype(np.float32), "gender_weight": weights.gender.astype(np.float32)}
        columns |= {"rows": rows.astype(np.int32)}
    np.savez_compressed(path, **columns)


def files_by_sha256(data: str, also: Iterable[str], recipe: "Recipe") -> dict[str, bytes]:
    """The pictures' files as they are, by their sha256, of all that may train or choose."""
    from train.sets import split_name, training_split

    splits = [split for name, split in read_splits(data, recipe.label_conflicts).items() if name != "test"]
    splits += [training_split(split_name(place, recipe)[1]) for place in also]
    files = {}
    for split in splits:
        for file in split.cast_column("image", datasets.Image(decode=False))["image"]:
            blob = file["bytes"] or pathlib.Path(file["path"]).read_bytes()
            files[hashlib.sha256(blob).hexdigest()] = blob
    return files


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.jobs.gpu.packs", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--recipe", default="gpu")
    parser.add_argument("--data", required=True, help="UTKFace, as for python -m train")
    parser.add_argument("--also", action="append", default=[], help="a further set, as for python -m train")
    parser.add_argument("--init-from", type=expanded_path, required=True, help="weights (.safetensors) to begin from")
    parser.add_argument(
        "--most", type=int, default=57_900_000, help="bytes of a pack (default: what one call may carry)"
    )
    parser.add_argument("--cache", type=expanded_path, default=pathlib.Path("cache"))
    parser.add_argument("--out", type=expanded_path, required=True)
    args = parser.parse_args(argv)
    if args.out.exists():
        parser.error(f"--out {args.out} is there already: name a new folder")
    # Here: the training on the GPU's machine, which reads packs alone, needs none of it.
    from train.batches import Weights, rows_of_pass
    from train.data import AGES, load_chips
    from train.fit import some_of_each
    from train.history import remember_before
    from train.machine import git_commit
    from train.recipe import load_recipe
    from train.sets import add_sets

    recipe = load_recipe(args.recipe)
    chips, fingerprints = load_chips(args.data, args.cache, recipe.label_conflicts)
    chips, fingerprints = add_sets(chips, fingerprints, args.also, recipe, args.cache)
    training, validation = chips["train"], some_of_each(chips["validation"], recipe.validation_chips)
    args.out.mkdir(parents=True)
    write_labels(training, Weights.of(training, recipe), rows_of_pass(training, recipe), args.out / "train.npz")
    write_labels(validation, None, None, args.out / "validation.npz")
    files = files_by_sha256(args.data, args.also, recipe)
    blobs = [files[sha] for part in (validation, training) for sha in part.sha256.tolist()]
    paths = write_packs(blobs, args.out, args.most)
    shutil.copyfile(args.init_from, args.out / "start.safetensors")
    n = {name: len(split) for name, split in chips.items()}
    shipped = Settings.load(pathlib.Path(hf_model.__file__).parent)
    facts = {
        "data_fingerprint": fingerprints,
        "n": n,
        "git_commit": git_commit(),
        "heads": dataclasses.asdict(dataclasses.replace(shipped.heads, age_bins=len(AGES))),
        "init_from": f"{args.init_from.name}, sha256 {file_sha256(args.init_from)}",
    }
    remember_before(args.out, str(args.init_from), pathlib.Path(hf_model.__file__).with_name(WEIGHTS_NAME))
    (args.out / "facts.json").write_text(json.dumps(facts, indent=2))
    print(f"Wrote {len(paths)} packs, {sum(path.stat().st_size for path in paths):,} bytes.")


if __name__ == "__main__":
    main()
