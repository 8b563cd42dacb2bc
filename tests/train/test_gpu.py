"""What goes to a lent GPU and comes back: packs, the feed of changed pictures, weights in pieces, the run folder."""

import hashlib
import io
import json
import os
import re

import numpy as np
import PIL.Image

from tests.support import jpeg_bytes, last_json, run_script
from tests.train.test_sets import write_set
from train.jobs.gpu import packs
from train.recipe import RECIPES


def test_packs_hold_the_files_as_they_are_and_none_is_larger_than_a_call_carries(tmp_path):
    blobs = [jpeg_bytes(seed, 40) for seed in range(40)]
    most = 3 * max(map(len, blobs))
    paths = packs.write_packs(blobs, tmp_path, most)
    assert len(paths) > 10  # the tenth pack is no second one
    assert all(path.stat().st_size <= most + 200 for path in paths)
    assert packs.read_packs(tmp_path) == blobs
    chips = packs.decode(blobs)
    wanted = PIL.Image.open(io.BytesIO(blobs[4])).resize((200, 200), PIL.Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(chips[4], np.asarray(wanted))


def test_packs_of_the_sets_train_on_what_a_training_here_would(tmp_path, make_utkface):
    names = {f"{20 + row}_{row % 2}_0_{20170101000000000 + row}.jpg.chip.jpg": row for row in range(30)}
    home = make_utkface(names)
    write_set(tmp_path / "fairface", 12)
    recipe = (RECIPES / "gpu.toml").read_text(encoding="utf-8").replace("hold_out = 2000", "hold_out = 4")
    recipe = re.sub(r"validation_chips = \d+", "validation_chips = 0", recipe)
    (tmp_path / "small.toml").write_text(recipe, encoding="utf-8")
    (tmp_path / "weights.safetensors").write_bytes(b"weights")
    out = tmp_path / "packs"
    arguments = [
        "--recipe",
        tmp_path / "small.toml",
        "--data",
        home,
        "--also",
        tmp_path / "fairface",
        "--cache",
        tmp_path,
    ]
    arguments += ["--init-from", tmp_path / "weights.safetensors", "--out", out]
    packs.main([str(argument) for argument in arguments])
    facts = json.loads((out / "facts.json").read_text())
    training, validation = dict(np.load(out / "train.npz")), dict(np.load(out / "validation.npz"))
    blobs = packs.read_packs(out)
    assert len(blobs) == len(training["gender"]) + len(validation["gender"])
    assert facts["n"]["train"] == len(training["gender"])
    assert (training["source"] == "fairface").sum() == 8
    held_out = {hashlib.sha256(blob).hexdigest() for blob in blobs[: len(validation["gender"])]}
    trained = {hashlib.sha256(blob).hexdigest() for blob in blobs[len(validation["gender"]) :]}
    assert not held_out & trained
    assert sorted(training["rows"]) == list(range(len(training["gender"])))
    assert training["gender_weight"].min() > 0
    assert (out / "start.safetensors").read_bytes() == b"weights"
    assert facts["init_from"] == f"weights.safetensors, sha256 {hashlib.sha256(b'weights').hexdigest()}"
    assert facts["heads"]["age_bins"] == 117


FEED = """
import dataclasses, json, numpy as np
from hf_model.pictures.resize import resize
from train.augment import augment
from train.jobs.gpu.feed import Feed
from train.jobs.gpu.packs import shared_array
from train.recipe import load_recipe
import PIL.Image
recipe = dataclasses.replace(load_recipe("gpu"), batch_size=4)
chips = shared_array((10, 200, 200, 3))
chips[:] = np.random.default_rng(0).integers(0, 256, chips.shape, dtype=np.uint8)
feed = Feed(chips, np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8]), recipe, 2)
taken = [feed.take(batch, np.copy) for batch in range(9)]
seen = np.concatenate([rows for rows, _ in taken[:3]])
random, images = np.random.default_rng((recipe.seed, 5, 1)), chips[taken[5][0]]
again = [resize(PIL.Image.fromarray(augment(image, recipe.augmentation, random, other)), 160)
         for image, other in zip(images, np.roll(images, 1, axis=0), strict=True)]
feed.size = 224
sizes = [feed.take(batch, np.copy)[1].shape for batch in range(9, 20)]
feed.close()
print(json.dumps({
    "pass": sorted(seen.tolist()), "orders": [rows.tolist() for rows, _ in taken], "same": bool((taken[5][1] == again).all()),
    "sizes": sizes,
}))
"""


def test_the_feed_gives_shuffled_passes_changed_as_in_training(root):
    told = last_json(run_script(FEED, folder=root, environment=dict(os.environ)))
    assert told["pass"] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9]
    assert told["orders"][0] != told["orders"][3]
    assert told["same"]
    assert told["sizes"][0] == [4, 160, 160, 3]  # begun before
    assert told["sizes"][-1] == [4, 224, 224, 3]
