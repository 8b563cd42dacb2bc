import json

import pytest

from hf_model.settings import Heads
from train.measure.context import Context
from train.measure.report import ablate
from train.recipe import load_recipe
from train.smoke import smoke_chips

SMALL = """
recipe = "best"
chips = 20
validation_chips = 10

[[stages]]
name = "heads"
train = "heads"
size = 32
batch_size = 10
epochs = 1
learning_rate = 1e-4
cached_variants = 1

[[variants]]
name = "plain"

[[variants]]
name = "no soft ages"
recipe = { soft_age_weight = 0.0 }
"""


def test_the_committed_variants_differ_from_the_first_in_one_thing_each():
    first, *others = ablate.load_ablations().variants.values()
    for other in others:
        changed = [field for field in vars(first) if getattr(first, field) != getattr(other, field)]
        assert len(changed) == 1


@pytest.mark.parametrize("change", ["recipe = { no_such_thing = 1 }", "last_stage = { speed = 2 }", "colour = 1"])
def test_a_change_of_nothing_that_is_there_is_refused(tmp_path, change):
    (tmp_path / "a.toml").write_text(f'{SMALL}\n[[variants]]\nname = "odd"\n{change}\n')
    with pytest.raises(ValueError, match="odd"):
        ablate.load_ablations(tmp_path / "a.toml")


def test_variants_are_trained_once_and_again_only_when_they_change(root, tmp_path, monkeypatch):
    asked = []

    def trained(recipe, chips, *_):
        asked.append((recipe.soft_age_weight, len(chips["train"])))
        return {"age_mae": 1.0, "gender_accuracy": 0.5, "gender_auc": 0.5, "seconds": 1}

    monkeypatch.setattr(ablate, "train_variant", trained)
    monkeypatch.setattr("train.data.load_chips", lambda *_: smoke_chips())
    (tmp_path / "a.toml").write_text(SMALL)
    context = Context(root / "hf_model", "x", tmp_path)
    paths = {"variants": tmp_path / "a.toml", "out": tmp_path / "r.json"}
    ablate.ablate(context, **paths)
    assert asked == [(load_recipe("best").soft_age_weight, 20), (0.0, 20)]
    (tmp_path / "a.toml").write_text(SMALL.replace("= 0.0", "= 0.5"))
    ablate.ablate(context, **paths)
    assert asked[2:] == [(0.5, 20)]
    assert list(json.loads((tmp_path / "r.json").read_text())["variants"]) == ["plain", "no soft ages"]


def test_a_variant_is_trained_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.toml").write_text(SMALL)
    recipe = ablate.load_ablations(tmp_path / "a.toml").variants["plain"]
    chips = {name: split.take(range(10)) for name, split in smoke_chips()[0].items()}
    heads = Heads(8, 1, 8, 117)
    figures = ablate.train_variant(recipe, chips, heads, None, tmp_path / "runs")
    assert figures.keys() == {"age_mae", "gender_accuracy", "gender_auc", "seconds"}
    assert list((tmp_path / "runs").iterdir()) == []
