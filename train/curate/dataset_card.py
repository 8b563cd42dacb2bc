"""Writes the dataset card, tables and all, from the data: `python -m train.curate.dataset_card --data DIR`."""

import argparse
import collections
import pathlib

import jinja2
import numpy as np

from dataset_script import utkface
from hf_model.console import expanded_path

TEMPLATE = pathlib.Path(__file__).with_name("dataset_card_template.md")
CARD = pathlib.Path(utkface.__file__).with_name("README.md")


def render(records: list[utkface.Record], skipped: list[utkface.Skipped]) -> str:
    """The text of the card for indexed files."""
    usable = [record for record in records if not record.label_conflict]
    counts = collections.Counter(record.split for record in usable)
    splits = {name: counts[name] for name in ("train", "validation", "test")}
    tables = {}
    for gender in utkface.GENDERS:
        rows: dict[int, list[int]] = collections.defaultdict(lambda: [0] * len(utkface.RACES))
        for record in usable:
            if record.labels.gender == gender:
                rows[record.labels.age // 10][utkface.RACES.index(record.labels.race)] += 1
        tables[gender] = {f"{10 * decade}-{10 * decade + 9}": rows[decade] for decade in sorted(rows)}
    split_rows = []
    for name in splits:
        members = [record.labels for record in usable if record.split == name]
        split_rows.append(
            {
                "name": name,
                "count": len(members),
                "female": np.mean([label.gender == "female" for label in members]),
                "median": f"{np.median([label.age for label in members]):.0f}",
            }
        )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        files=len(records) + len(skipped),
        findings=findings(records, skipped),
        splits=splits,
        split_rows=split_rows,
        tables=tables,
        races=utkface.RACES,
        largest_difference=largest_difference([r.labels for r in usable], [r.split for r in usable]),
    )


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


def findings(records: list[utkface.Record], skipped: list[utkface.Skipped]) -> dict[str, int]:
    """What is wrong with the files, with counts."""
    by_sha, by_group = collections.defaultdict(list), collections.defaultdict(list)
    for record in records:
        by_sha[record.sha256].append(record)
        by_group[record.duplicate_group].append(record)
    exact = [members for members in by_sha.values() if len(members) > 1]
    near = [members for members in by_group.values() if len(members) > 1]

    def disagree(groups, field):
        return sum(len({getattr(record.labels, field) for record in members}) > 1 for members in groups)

    reasons = collections.Counter(item.reason for item in skipped)
    return {
        "files with usable labels and pictures": len(records),
        **{f"files skipped: {reason}": count for reason, count in sorted(reasons.items())},
        "groups of byte-identical files": len(exact),
        "files in them": sum(map(len, exact)),
        "of these groups, ages disagree": disagree(exact, "age"),
        "of these groups, genders disagree": disagree(exact, "gender"),
        "groups that show one picture, exact and near": len(near),
        "files in those": sum(map(len, near)),
        "of those groups, ages disagree": disagree(near, "age"),
        "of those groups, genders disagree": disagree(near, "gender"),
        "files left out for conflicting labels": sum(record.label_conflict for record in records),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.curate.dataset_card", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--out", type=expanded_path, default=CARD)
    args = parser.parse_args(argv)
    manifest = utkface.read_manifest(str(CARD.with_name(utkface.MANIFEST)))
    args.out.write_text(render(*utkface.index_files([args.data], manifest)), encoding="utf-8")
    print(f"Wrote {args.out}")


if __name__ == "__main__":
    main()
