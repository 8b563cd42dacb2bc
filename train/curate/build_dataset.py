"""Builds UTKFace and writes it as sharded Parquet that every version of datasets reads without code.

    python -m train.curate.build_dataset --data DIR [--out build/utkface]

The folder holds ``data/*.parquet``, the dataset card as README.md, and ``skipped.csv``. It is
UTKFace's pictures: not to be published unless private.
"""

import argparse
import collections
import csv
import dataclasses
import os
import pathlib
import shutil

import huggingface_hub

from dataset_script.utkface import Skipped, UTKFace
from hf_model.console import expanded_path
from train.curate.dataset_card import CARD

SHARD_BYTES = 200_000_000


def card_of(builder: UTKFace) -> str:
    """The dataset card with the split sizes of this build: load_dataset refuses a repo where they differ, and warns of
    one without bytes."""
    card = huggingface_hub.DatasetCard(CARD.read_text(encoding="utf-8"))
    splits = builder.info.splits.values()
    sizes = [{"name": one.name, "num_bytes": one.num_bytes, "num_examples": one.num_examples} for one in splits]
    bytes_of_all = sum(one.num_bytes for one in splits)
    card.data["dataset_info"] |= {"splits": sizes, "download_size": bytes_of_all, "dataset_size": bytes_of_all}
    return str(card)


def write_parquet(builder: UTKFace, out: pathlib.Path) -> None:
    """Writes a prepared builder's splits, the card and the list of skipped files; whole or not at all."""
    partial = out.with_name(out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "data").mkdir(parents=True)
    for name, split in builder.as_dataset().items():
        shards = max(-(-split.data.nbytes // SHARD_BYTES), 1)
        for index in range(shards):
            path = partial / "data" / f"{name}-{index:05d}-of-{shards:05d}.parquet"
            split.shard(shards, index, contiguous=True).to_parquet(path)
    (partial / "README.md").write_text(card_of(builder), encoding="utf-8")
    with (partial / "skipped.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in dataclasses.fields(Skipped)])
        writer.writerows(dataclasses.astuple(item) for item in builder.skipped)
    shutil.rmtree(out, ignore_errors=True)
    os.replace(partial, out)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.curate.build_dataset", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--out", type=expanded_path, default=pathlib.Path("build/utkface"))
    parser.add_argument("--label-conflicts", choices=["drop", "keep"], default="drop")
    args = parser.parse_args(argv)
    builder = UTKFace(data_dir=args.data, label_conflicts=args.label_conflicts)
    builder.download_and_prepare()
    write_parquet(builder, args.out)
    for reason, count in sorted(collections.Counter(item.reason for item in builder.skipped).items()):
        print(f"skipped  {reason:<20} {count:>6}")
    print(f"Wrote {args.out}: {', '.join(f'{n} {s.num_examples}' for n, s in builder.info.splits.items())}")


if __name__ == "__main__":
    main()
