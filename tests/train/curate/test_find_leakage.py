import hashlib
import json

from dataset_script.utkface import split_of
from tests.train.curate.test_find_duplicates import face, jpeg, moved, name, write_parquet
from train.curate.find_leakage import main


def test_measured_faces_that_train_in_another_cut_are_listed_and_others_are_not(make_utkface, tmp_path, root):
    files, of_split = {}, {"train": [], "test": []}
    for seed in range(200):  # some of each split, which the bytes decide
        data = jpeg(face(seed), 95)
        of_split.get(split_of(hashlib.sha256(data).hexdigest()), []).append((seed, data))
    (trained, shown), tested = of_split["train"][:2], of_split["test"][:3]
    cut = None
    for quality in range(60, 95):  # another cut of a face that trains, which falls into the test split
        data = jpeg(moved(face(trained[0]), 1.04, 3), quality)
        if split_of(hashlib.sha256(data).hexdigest()) == "test":
            cut = data
            break
    for serial, data in enumerate([trained[1], shown[1], cut, *(data for _, data in tested)]):
        files[name(30, serial)] = data
    folder = make_utkface(files)
    further = [jpeg(face(1000 + seed), 90) for seed in range(5)]
    write_parquet(further, tmp_path / "other" / "data" / "train-0.parquet")
    validation = [jpeg(face(2000), 90), jpeg(moved(face(1003), 1.03, -4), 80), jpeg(moved(face(shown[0]), 1.0, 5), 80)]
    write_parquet(validation, tmp_path / "other" / "data" / "validation-0.parquet")
    out = tmp_path / "seen.json"
    main(
        [str(folder), "--also", f"other={tmp_path / 'other'}", "--measured", str(tmp_path / "other"), "--out", str(out)]
    )
    told = json.loads(out.read_text())
    assert told["leaked"]["utkface"].keys() == {hashlib.sha256(cut).hexdigest()}
    assert {key: row["trained"] for key, row in told["leaked"]["other"].items()} == {
        "000001": "other",
        "000002": "utkface",
    }
    assert told["leaked"]["other"]["000001"]["sha256"] == hashlib.sha256(further[3]).hexdigest()
    assert all(
        row["correlation"] >= told["min_correlation"] for part in told["leaked"].values() for row in part.values()
    )
    (tmp_path / "left_out.csv").write_text(
        f"sha256,set,file,why\n{hashlib.sha256(further[3]).hexdigest()},other,3.jpg,repeat\n"
    )
    kept_to = ["--left-out", str(tmp_path / "left_out.csv"), "--out", str(tmp_path / "again.json")]
    main([str(folder), "--also", f"other={tmp_path / 'other'}", "--measured", str(tmp_path / "other"), *kept_to])
    assert json.loads((tmp_path / "again.json").read_text())["leaked"]["other"].keys() == {
        "000002"
    }  # what did not train
    assert told["weights_sha256"] == json.loads((root / "hf_model" / "metrics.json").read_text())["weights_sha256"]
