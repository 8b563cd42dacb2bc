import csv
import hashlib
import io

import datasets
import numpy as np
import PIL.Image
import PIL.ImageEnhance

from dataset_script.utkface import read_manifest
from train.curate.find_duplicates import group, main


def face_like(seed):
    """A smooth random picture, large enough to be recompressed."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return PIL.Image.fromarray(small).resize((200, 200), PIL.Image.Resampling.BICUBIC)


def moved(image, scale, shift):
    """The same photo, cut otherwise."""
    side = round(200 * scale)
    canvas = image.resize((side, side), PIL.Image.Resampling.BICUBIC)
    left = (side - 200) // 2 + shift
    return canvas.crop((left, left, left + 200, left + 200))


def face(seed):
    """Finer than face_like: another face, not another light."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return PIL.Image.fromarray(small).resize((200, 200), PIL.Image.Resampling.BICUBIC)


def write_parquet(pictures, path):
    """A set as it is on the Hub."""
    columns = {"image": [{"bytes": data, "path": f"{row}.jpg"} for row, data in enumerate(pictures)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns, features=datasets.Features({"image": datasets.Image()})).to_parquet(path)


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


def test_pictures_of_a_further_set_that_stand_elsewhere_are_listed_and_what_was_listed_stays(make_utkface, tmp_path):
    folder = make_utkface({name(30, seed): jpeg(face(seed), 95) for seed in range(8)})
    further = [jpeg(face(100 + seed), 90) for seed in range(10)]
    further += [jpeg(moved(face(2), 1.05, 6), 60), jpeg(moved(face(5), 1.0, -5), 70)]  # UTKFace's, cut otherwise
    further += [jpeg(moved(face(103), 1.03, 2), 80)]  # a near repeat
    write_parquet(further, tmp_path / "other" / "data" / "train-0.parquet")
    (tmp_path / "left_out.csv").write_text("sha256,set,file,why\nabc,fairface,train/1.jpg,measured face\n")
    arguments = ["--out", str(tmp_path / "m.csv"), "--also", f"other={tmp_path / 'other'}"]
    for _ in range(2):  # once more changes nothing
        main([str(folder), *arguments, "--left-out", str(tmp_path / "left_out.csv")])
        with open(tmp_path / "left_out.csv", newline="") as file:
            rows = {row["sha256"]: row for row in csv.DictReader(file)}
        expected = {hashlib.sha256(further[row]).hexdigest() for row in (10, 11, 12)} | {"abc"}
        assert rows.keys() == expected
        assert {row["why"] for row in rows.values()} == {"repeat", "measured face"}


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
