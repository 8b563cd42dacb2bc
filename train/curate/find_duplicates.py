"""Finds files of UTKFace that show the same picture and writes the manifest beside the script.

    python -m train.curate.find_duplicates DATA_DIR [--out dataset_script/duplicate_groups.csv] [--sheet PNG]
    python -m train.curate.find_duplicates DATA_DIR --also fairface=SET [--measured FOLDER]    # and who is left out of
    further sets

Candidates come from a perceptual hash (ImageHash's pHash); a pair is confirmed on pixels, so that
mere look-alikes are not merged. Files that are byte-identical need no search: the builder sees
them; they stand in the manifest only where their labels disagree, so that a lone copy is known too.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import io
import itertools
import pathlib

import datasets
import imagehash
import numpy as np
import PIL.Image

from dataset_script import utkface
from hf_model.console import expanded_path
from train.curate import across

# Wide enough that no true pair seen here was lost to it; the pixels decide.
MAX_HASH_DISTANCE = 12
# Cosines of mean-free grey thumbnails. Looked at on UTKFace: all 28 confirmed pairs with the lowest
# 64×64 cosine show one picture; just below 0.97 on 16×16, most pairs show two people.
MIN_COSINE = {16: 0.97, 64: 0.90}
LEFT_OUT = pathlib.Path(utkface.__file__).with_name("left_out.csv")
DEFAULT_MANIFEST = pathlib.Path(utkface.__file__).with_name(utkface.MANIFEST)


def describe(data: bytes) -> tuple[int, dict[int, np.ndarray]]:
    """The 64-bit perceptual hash of a picture and its grey thumbnails, flattened and of unit length."""
    with PIL.Image.open(io.BytesIO(data)) as image:
        grey = image.convert("L")
    code = int(str(imagehash.phash(grey)), 16)
    return code, {size: thumbnail(grey, size) for size in MIN_COSINE}


def thumbnail(grey: PIL.Image.Image, size: int) -> np.ndarray:
    """A mean-free grey thumbnail as a unit vector of ``size * size`` float32."""
    pixels = np.asarray(grey.resize((size, size), PIL.Image.Resampling.BOX), np.float32).ravel()
    pixels -= pixels.mean()
    return pixels / max(float(np.linalg.norm(pixels)), 1e-6)


def find_pairs(codes: np.ndarray, thumbnails: dict[int, np.ndarray]) -> np.ndarray:
    """Confirmed pairs (P, 2) of row numbers, smaller first.

    Args:
        codes: (N,) uint64 perceptual hashes.
        thumbnails: for each size, (N, size * size) unit vectors.
    """
    pairs = []
    for start in datasets.utils.tqdm(range(0, len(codes), 512), desc="Comparing", unit=" blocks"):
        distance = np.bitwise_count(codes[start : start + 512, None] ^ codes[None])
        left, right = np.nonzero(distance <= MAX_HASH_DISTANCE)
        left += start
        left, right = left[left < right], right[left < right]
        for size, threshold in MIN_COSINE.items():
            near = np.einsum("ij,ij->i", thumbnails[size][left], thumbnails[size][right]) >= threshold
            left, right = left[near], right[near]
        pairs.append(np.stack([left, right], axis=1))
    return np.concatenate(pairs)


def group(shas: list[str], pairs: np.ndarray) -> dict[str, str]:
    """``{sha256: group id}`` of the connected components; the id is the smallest sha256 in it."""
    parent = {sha: sha for sha in shas}

    def root(sha: str) -> str:
        while parent[sha] != sha:
            sha = parent[sha]
        return sha

    for left, right in pairs:
        low, high = sorted((root(shas[left]), root(shas[right])))
        parent[high] = low
    return {sha: root(sha) for sha in shas}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.curate.find_duplicates", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("data_dir", nargs="+", help="folders or archives of UTKFace")
    parser.add_argument("--out", type=expanded_path, default=DEFAULT_MANIFEST)
    parser.add_argument("--sheet", type=expanded_path, help="contact sheet of the least alike pairs, to look at")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=SET",
        help=(
            "a further set to train on: a folder of Parquet, or REPO@CONFIG; compared with UTKFace and those before it"
        ),
    )
    parser.add_argument(
        "--measured", action="append", type=expanded_path, default=[], help="a folder of photos that are measured on"
    )
    parser.add_argument("--left-out", type=expanded_path, default=LEFT_OUT, help="the list that --also adds to")
    args = parser.parse_args(argv)
    if any("=" not in also for also in args.also):
        parser.error("--also is given as NAME=SET: the name is what train/recipes call the set")

    records, _ = utkface.index_files(args.data_dir, manifest={})
    by_sha = collections.defaultdict(list)
    for record in records:
        by_sha[record.sha256].append(record)
    described = describe_all(by_sha, keep=bool(args.sheet), grey=bool(args.also))
    pairs = find_pairs(described.codes, described.thumbnails)
    groups = group(described.shas, pairs)
    rows = manifest_rows(groups, by_sha)
    across.write_table(args.out, ("sha256", "duplicate_group", "label_conflict"), rows)
    print_counts(records, by_sha, groups, rows)
    print(f"recall of pairs at 16×16 cosine > 0.99: {recall(described.thumbnails[16], groups, described.shas):.4f}")
    print(f"wrote {args.out}: {len(rows)} rows")
    if args.sheet:
        likeness = np.einsum("ij,ij->i", described.thumbnails[64][pairs[:, 0]], described.thumbnails[64][pairs[:, 1]])
        lowest = pairs[np.argsort(likeness)[:48]]
        shown = [(described.images[described.shas[i]], described.images[described.shas[j]]) for i, j in lowest]
        contact_sheet(shown).save(args.sheet)
    if args.also:
        compare_sets(described, args.also, args.measured, args.left_out)


@dataclasses.dataclass
class Described:
    """What is compared of UTKFace's files, each sha256 once: ``codes`` (N,) hashes, ``thumbnails`` by size, and where
    asked for the files' bytes (``images``) and (N, 96, 96) ``grey`` chips."""

    shas: list[str]
    codes: np.ndarray
    thumbnails: dict[int, np.ndarray]
    images: dict[str, bytes]
    grey: np.ndarray | None


def describe_all(by_sha: dict[str, list[utkface.Record]], keep: bool, grey: bool) -> Described:
    """Reads every file once more and describes it."""
    first = {items[0].source: sha for sha, items in by_sha.items()}
    paths = sorted({source.path for source in first})
    files = itertools.chain.from_iterable(map(utkface.iter_bytes, paths))
    wanted = ((first[source], data) for source, data in files if source in first)
    shas, codes, vectors, chips = [], [], [], []
    images: dict[str, bytes] = {}
    progress = datasets.utils.tqdm(total=len(first), desc="Hashing", unit=" files")
    with concurrent.futures.ThreadPoolExecutor() as pool, progress:
        while chunk := list(itertools.islice(wanted, 512)):
            shas += [sha for sha, _ in chunk]
            for code, vector in pool.map(describe, [data for _, data in chunk]):
                codes.append(code)
                vectors.append(vector)
            if keep:
                images.update(chunk)
            if grey:
                decoded = (np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB")) for _, data in chunk)
                chips.append(across.grey_chips(decoded))
            progress.update(len(chunk))
    thumbnails = {size: np.stack([vector[size] for vector in vectors]) for size in MIN_COSINE}
    return Described(shas, np.array(codes, np.uint64), thumbnails, images, np.concatenate(chips) if chips else None)


def manifest_rows(groups: dict[str, str], by_sha: dict[str, list[utkface.Record]]) -> list[tuple[str, str, int]]:
    """(sha256, group, whether labels disagree) of every file that is not alone, or whose copies disagree."""
    members = collections.defaultdict(list)
    for sha, name in groups.items():
        members[name].append(sha)
    rows = []
    for name, group_shas in sorted(members.items()):
        labels = {(item.labels.age, item.labels.gender) for sha in group_shas for item in by_sha[sha]}
        if len(group_shas) > 1 or len(labels) > 1:
            rows += [(sha, name, int(len(labels) > 1)) for sha in sorted(group_shas)]
    return rows


def print_counts(records: list, by_sha: dict, groups: dict[str, str], rows: list[tuple[str, str, int]]) -> None:
    """How many files are copies of others, to the terminal."""
    exact = [items for items in by_sha.values() if len(items) > 1]
    files = collections.Counter(groups[sha] for sha, items in by_sha.items() for _ in items)
    together = [count for count in files.values() if count > 1]
    conflicts = len({name for _, name, disagree in rows if disagree})
    print(f"{len(records)} files; byte-identical: {len(exact)} groups, {sum(map(len, exact))} files")
    print(
        f"same picture, exact and near: {len(together)} groups, {sum(together)} files; {conflicts} disagree on a label"
    )


def compare_sets(home: Described, also: list[str], measured: list[pathlib.Path], left_out: pathlib.Path) -> None:
    """Adds the pictures of further sets that must not train to the list."""
    faces = {}
    if measured:
        from hf_model import AgeGenderPredictor

        predictor = AgeGenderPredictor.from_pretrained(pathlib.Path(utkface.__file__).parents[1] / "hf_model")
        faces = {folder.name: across.read_measured(folder, predictor) for folder in measured}
    assert home.grey is not None
    others = {"utkface": across.Set(home.shas, home.shas, home.grey)}
    for given in also:
        name, _, place = given.partition("=")
        further = across.read_parquet_set(place)
        found = across.to_leave_out(further, others, faces)
        length = across.update_list(left_out, name, found)
        reasons = collections.Counter(why for _, why in found.values())
        counts = ", ".join(f"{n} {why}" for why, n in reasons.items()) or "none"
        print(f"{name}: {len(further)} pictures, to leave out: {counts}; {left_out} has {length} rows")
        others[name] = further


def recall(thumbnails: np.ndarray, groups: dict[str, str], shas: list[str]) -> float:
    """The share of pairs at cosine > 0.99 that ended up in one group."""
    ids = np.array([groups[sha] for sha in shas])
    found = total = 0
    for start in range(0, len(ids), 512):
        left, right = np.nonzero(thumbnails[start : start + 512] @ thumbnails.T > 0.99)
        left += start
        left, right = left[left < right], right[left < right]
        total += len(left)
        found += int((ids[left] == ids[right]).sum())
    return found / total if total else float("nan")


def contact_sheet(pairs: list[tuple[bytes, bytes]], side: int = 100, columns: int = 4) -> PIL.Image.Image:
    """Pairs of pictures side by side, for the eye. Never to be committed: the faces are people's."""
    sheet = PIL.Image.new("RGB", (columns * (2 * side + 20), -(-len(pairs) // columns) * (side + 10)))
    for index, pair in enumerate(pairs):
        for position, data in enumerate(pair):
            x = index % columns * (2 * side + 20) + position * side
            sheet.paste(
                PIL.Image.open(io.BytesIO(data)).convert("RGB").resize((side, side)),
                (x, index // columns * (side + 10)),
            )
    return sheet


if __name__ == "__main__":
    main()
