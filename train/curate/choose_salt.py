"""Searches the salt of the split hash, once: `python -m train.curate.choose_salt DATA_DIR`.

A plain hash leaves the age distributions of the splits apart by luck. Of the first salts, the one
is printed under which the share of a 10-year age bin or of a gender differs least between any two
splits (the bar is 1.5 points), to be committed as ``SPLIT_SALT`` in ``dataset_script/utkface.py``.
"""

import argparse

import numpy as np

from dataset_script import utkface

TRIES = 300


def largest_difference(labels: list[utkface.Labels], splits: list[str]) -> float:
    """The largest difference, between splits, in the share of a 10-year age bin or of a gender."""
    factors = np.array([[label.age // 10, utkface.GENDERS.index(label.gender)] for label in labels])
    splits_array = np.array(splits)
    names = ("train", "validation", "test")
    if any(not (splits_array == name).any() for name in names):
        return 1.0
    worst = 0.0
    for column in factors.T:
        shares = np.stack(
            [np.bincount(column[splits_array == name], minlength=12) / (splits_array == name).sum() for name in names]
        )
        worst = max(worst, float((shares.max(axis=0) - shares.min(axis=0)).max()))
    return worst


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.curate.choose_salt", description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", nargs="+", help="folders or archives of UTKFace")
    args = parser.parse_args(argv)
    manifest = utkface.read_manifest(utkface.__file__.replace("utkface.py", utkface.MANIFEST))
    records, _ = utkface.index_files(args.data_dir, manifest, check_images=False)
    records = [record for record in records if not record.label_conflict]
    labels = [record.labels for record in records]
    scores = {}
    for salt in (f"utkface-{number}" for number in range(TRIES)):
        scores[salt] = largest_difference(
            labels, [utkface.split_of(record.duplicate_group, salt) for record in records]
        )
    best = min(scores, key=lambda salt: scores[salt])
    print(f"SPLIT_SALT = {best!r}  # largest difference {scores[best]:.4f}; utkface-0 has {scores['utkface-0']:.4f}")


if __name__ == "__main__":
    main()
