import csv
import dataclasses
import io

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest

from dataset_script.utkface import read_manifest
from hf_model.faces import Face
from train.curate.find_duplicates import group, main
from train.measure.calibrate_crop import fit_crop, framing_error
from train.measure.scenes import make_scene


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


def test_the_crop_constants_undo_a_known_framing():
    random = np.random.default_rng(0)
    squares = np.column_stack([random.uniform(0, 300, (50, 2)), random.uniform(80, 600, 50)])
    shape = np.array([[-1, -1], [1, -1], [0, 0.2], [-0.8, 1], [0.8, 1]])
    faces = []
    for left, top, side in squares:
        # Noses and mouths are as they like: the eyes alone tell.
        wide, low = random.normal(0, 0.3, 2)
        odd = [[0, 0], [0, 0], random.normal(0, 0.1, 2), [-wide, low], [wide, low]]
        landmarks = [left + 0.45 * side, top + 0.6 * side] + 0.2 * side * (shape + odd)
        faces.append(Face(left, top, side, side, 1.0, tuple(map(tuple, landmarks))))
    # One face was found elsewhere.
    wrong = dataclasses.replace(faces[7], landmarks=tuple((x + squares[7, 2], y) for x, y in faces[7].landmarks))
    crop = fit_crop([*faces[:7], wrong, *faces[8:]], squares)
    assert crop["side"] == pytest.approx({"eyes": 2.5**2} | dict.fromkeys(list(crop["side"])[1:], 0.0), abs=0.05)
    assert crop["centre"] == pytest.approx({"eyes": 1.0, "nose": 0.0, "mouth": 0.0}, abs=0.01)
    assert (crop["offset_x"], crop["offset_y"]) == (pytest.approx(0.05, abs=2e-3), pytest.approx(0.1, abs=5e-3))
    assert max(framing_error(faces, squares, crop).values()) < 0.02  # whole pixels


def test_a_scene_holds_the_chip_where_it_says():
    chip = np.asarray(face_like(1))
    random = np.random.default_rng(0)
    for _ in range(5):
        scene = make_scene(chip, random)
        assert 100 <= scene.side <= 800
        inside = scene.image.crop((scene.left, scene.top, scene.left + scene.side, scene.top + scene.side)).resize(
            (200, 200)
        )
        assert np.abs(np.asarray(inside).astype(int) - chip).mean() < 8
        assert scene.image.width > scene.side
