import csv
import io

import numpy as np
import PIL.Image
import PIL.ImageEnhance

from dataset_script.utkface import read_manifest
from train.curate.find_duplicates import group, main


def face_like(seed):
    """A smooth random picture, large enough to be recompressed."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return PIL.Image.fromarray(small).resize((200, 200), PIL.Image.Resampling.BICUBIC)


def jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def name(age, serial):
    return f"{age}_0_0_20170101{serial:09d}.jpg.chip.jpg"


def test_recompressed_and_brightened_copies_are_found_and_others_are_not(make_utkface, tmp_path, capsys):
    files = {name(30, seed): jpeg(face_like(seed), 95) for seed in range(20)}
    files[name(30, 100)] = jpeg(face_like(3), 40)
    files[name(30, 101)] = jpeg(PIL.ImageEnhance.Brightness(face_like(3)).enhance(0.8), 90)
    files[name(55, 102)] = jpeg(face_like(7).resize((120, 120)).resize((200, 200)), 80)  # another age
    files[name(31, 103)] = jpeg(face_like(9), 95)  # the very bytes, another age
    folder = make_utkface(files)
    main([str(folder), "--out", str(tmp_path / "manifest.csv")])
    with open(tmp_path / "manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    groups = {}
    for row in rows:
        groups.setdefault(row["duplicate_group"], []).append(row)
    assert sorted(len(members) for members in groups.values()) == [1, 2, 3]
    conflicts = {len(members): {row["label_conflict"] for row in members} for members in groups.values()}
    assert conflicts == {3: {"0"}, 2: {"1"}, 1: {"1"}}
    assert all(min(row["sha256"] for row in members) == key for key, members in groups.items())
    assert len(read_manifest(tmp_path / "manifest.csv")) == 6
    assert "recall of pairs" in capsys.readouterr().out


def test_groups_are_connected_components_named_by_their_smallest_member():
    shas = ["d", "b", "a", "c", "e"]
    groups = group(shas, np.array([[0, 1], [1, 3]]))
    assert groups == {"d": "b", "b": "b", "c": "b", "a": "a", "e": "e"}


def test_the_committed_manifest_is_sound(root):
    manifest = read_manifest(root / "dataset_script" / "duplicate_groups.csv")
    assert len(manifest) > 1000
    for sha, (name_of_group, _) in manifest.items():
        assert len(sha) == 64
        assert manifest[name_of_group][0] == name_of_group <= sha
