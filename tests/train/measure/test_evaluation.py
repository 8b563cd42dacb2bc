import json
import shutil

import evaluate
import numpy as np
import pytest

from hf_model.prediction import age_interval
from train.measure.answers import Answers, predict_chips, with_intervals
from train.measure.calibrate_age import best_line, calibrate, move_age
from train.measure.evaluate import measure_end_to_end
from train.measure.groups import age_levels, pooled
from train.measure.metrics.age_error.age_error import age_error
from train.measure.metrics.gender_report.gender_report import auc, expected_calibration_error, gender_report
from train.measure.robustness import CHANGES
from train.release.card import render_card
from train.release.figures import render_figures
from train.smoke import smoke_chips


def test_age_errors_by_hand():
    figures = age_error([10, 20, 30, 40], [12, 20, 20, 45])
    assert figures == {"mae": 4.25, "median_error": 3.5, "bias": 0.75, "cs5": 0.75}


def test_gender_figures_by_hand():
    figures = gender_report([0.9, 0.6, 0.52, 0.2, 0.48, 0.7], [1, 1, 0, 0, 1, 0])
    assert figures["accuracy"] == pytest.approx(3 / 6)
    assert figures["recall_female"] == pytest.approx(2 / 3)
    assert figures["recall_male"] == pytest.approx(1 / 3)
    assert figures["coverage"] == pytest.approx(4 / 6)
    assert figures["accuracy_decided"] == pytest.approx(3 / 4)
    assert figures["accuracy_uncertain_wrong"] == pytest.approx(3 / 6)


def test_auc_is_the_probability_of_the_right_order():
    random = np.random.default_rng(0)
    score, positive = random.integers(0, 20, 200) / 20, random.random(200) < 0.4
    pairs = score[positive][:, None] - score[~positive][None]
    assert auc(score, positive) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
    assert np.isnan(auc(score, np.ones(200, bool)))


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_confidence():
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20000)
    assert expected_calibration_error(confidence, random.random(20000) < confidence) < 0.02
    assert expected_calibration_error(np.full(100, 0.99), np.arange(100) < 60) == pytest.approx(0.39)


def test_metric_modules_load_from_their_folders_without_a_network(root):
    age = evaluate.load(str(root / "train" / "measure" / "metrics" / "age_error"))
    assert age.compute(predictions=[10, 20], references=[12, 20])["mae"] == 1
    gender = evaluate.load(str(root / "train" / "measure" / "metrics" / "gender_report"))
    assert gender.compute(predictions=[0.9, 0.1], references=[1, 0])["auc"] == 1


def test_small_groups_are_pooled():
    ages = np.concatenate([np.full(60, 1), np.full(10, 4), np.full(70, 8), np.full(80, 25), np.full(20, 90)])
    levels = age_levels(ages)
    assert sum(mask.sum() for _, mask in levels) == len(ages)
    assert all(mask.sum() >= 50 for _, mask in levels)
    masks = [
        ("a", np.arange(200) < 100),
        ("b", np.arange(200) >= 170),
        ("c", (np.arange(200) >= 100) & (np.arange(200) < 120)),
    ]
    names = [(name, int(mask.sum())) for name, mask in pooled(masks)]
    assert names == [("a", 100), ("pooled", 50)]


def test_a_bootstrap_interval_holds_the_value_and_narrows_with_n(predictor):
    def answers(n):
        chips = smoke_chips(n)[0]["test"]
        random = np.random.default_rng(0)
        return Answers(
            chips, chips.age + random.normal(0, 5, n), random.random(n), np.full(n, np.nan), np.full(n, np.nan)
        )

    small, large = (with_intervals(answers(n), predictor.config["decision"])["age_mae"] for n in (40, 640))
    for figure in (small, large):
        assert figure["low"] < figure["value"] < figure["high"]
    assert large["high"] - large["low"] < 0.5 * (small["high"] - small["low"])
    assert large["n"] == 640


def test_the_age_interval_covers_four_in_five_of_new_faces_of_every_age():
    """Also where the network guesses towards the middle, and at other shares of ages than it was calibrated on."""
    random = np.random.default_rng(0)

    def faces(n, oldest):
        age = random.integers(0, oldest, n)
        return np.clip(40 + 0.7 * (age - 40) + random.normal(0, 1 + age / 12, n), 0, None), age

    table = calibrate(*faces(2000, 100))
    assert table["predicted_age"] == sorted(set(table["predicted_age"]))
    predicted, labelled = faces(6000, 80)
    ends = np.array([age_interval(age, table) for age in predicted])
    inside = (ends[:, 0] <= labelled) & (labelled <= ends[:, 1])
    assert 0.77 < inside.mean() < 0.84
    for youngest in range(0, 80, 10):
        assert 0.70 < inside[(labelled >= youngest) & (labelled < youngest + 10)].mean() < 0.90


def test_the_line_through_the_ages_undoes_a_shrunk_scale_in_the_weights(root, tmp_path, predictor, astronaut):
    random = np.random.default_rng(0)
    labelled = random.uniform(5, 80, 400)
    factor, offset = best_line(labelled / 1.1 - 1, labelled)
    assert (factor, offset) == (pytest.approx(1.1), pytest.approx(1.1, abs=0.11))
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(root / "hf_model" / name, tmp_path / name)
    move_age(tmp_path, 1.1, 2.0)
    (before,), (after,) = predictor(astronaut), type(predictor).from_pretrained(tmp_path)(astronaut)
    assert after.age == pytest.approx(1.1 * before.age + 2.0, rel=2e-3)
    assert after.female_probability == pytest.approx(before.female_probability, abs=1e-5)


def test_the_interval_holds_the_prediction_and_rises_with_it():
    random = np.random.default_rng(0)
    labelled = random.integers(0, 90, 500)
    table = calibrate(np.clip(labelled + random.normal(0, 8, 500), 0, None), labelled)
    ends = np.array([age_interval(age, table) for age in range(120)])
    assert (ends[:, 0] <= np.arange(120)).all()
    assert (ends[:, 1] >= np.arange(120)).all()
    assert (np.diff(ends, axis=0) >= 0).all()


def test_many_equal_predictions_can_be_calibrated():
    predicted = np.concatenate([np.zeros(300), np.linspace(1, 80, 700)])
    table = calibrate(predicted, np.round(predicted + 1))
    low, high = age_interval(0.0, table)
    assert low == 0
    assert 1 <= high < 8


def test_every_change_of_the_robustness_table_gives_a_chip_again(predictor):
    chips = smoke_chips(2)[0]["test"]
    for name, change in CHANGES.items():
        assert np.isfinite(predict_chips(predictor, chips, change, name).age).all()


def test_chips_that_are_no_faces_are_missed_by_the_detector(predictor):
    from train.measure.scenes import make_scene

    random = np.random.default_rng(0)
    assert all(predictor(make_scene(image, random).image) == [] for image in smoke_chips(4)[0]["test"].images)


def test_astronaut_chips_pasted_on_pictures_agree_with_the_chip_itself(predictor, astronaut):
    """The end-to-end promise on the one face that may be in the tree: framing gives the chip back."""
    ((_face, crop),) = predictor.crops(astronaut)
    chip = np.asarray(crop.resize((200, 200)))
    from train.data import Chips

    n = 6
    text = np.array([str(i) for i in range(n)])
    chips = Chips(np.stack([chip] * n), np.full(n, 30.0), np.ones(n, int), np.zeros(n, int), text, text)
    on_chips = predict_chips(predictor, chips)
    result = measure_end_to_end(predictor, on_chips)
    assert result["missed"]["overall"]["value"] <= 0.34
    assert result["agreement"]["mean_age_difference"] < 5


@pytest.fixture(scope="module")
def metrics(root):
    return json.loads((root / "hf_model" / "metrics.json").read_text(encoding="utf-8"))


def test_the_committed_metrics_belong_to_the_committed_weights(root, metrics):
    from train.files import file_sha256

    assert metrics["weights_sha256"] == file_sha256(root / "hf_model" / "model.safetensors")
    assert metrics["split"] == "test"
    assert {"overall", "groups", "data", "recipe", "created", "end_to_end", "robustness"} <= set(metrics)


def test_the_committed_figures_meet_the_bars_that_were_reached(metrics):
    assert metrics["overall"]["age_mae"]["value"] <= 4.9
    assert metrics["groups"]["range"]["20-60"]["age_mae"]["value"] <= 5.4
    assert metrics["overall"]["gender_accuracy"]["value"] >= 0.925
    assert metrics["groups"]["range"]["13 and older"]["gender_accuracy"]["value"] >= 0.95
    overall = metrics["overall"]["age_mae"]["value"]
    for factor in ("race", "gender"):
        assert all(figures["age_mae"]["value"] <= 1.25 * overall for figures in metrics["groups"][factor].values())
    found = metrics["end_to_end"]
    assert found["overall"]["age_mae"]["value"] <= found["chips"]["age_mae"]["value"] + 0.4
    assert found["overall"]["gender_accuracy"]["value"] >= found["chips"]["gender_accuracy"]["value"] - 0.012
    assert found["agreement"]["mean_age_difference"] <= 1.0
    assert found["agreement"]["same_side_of_half"] >= 0.98


def test_the_age_interval_covers_the_test_labels_of_every_age(metrics):
    assert 0.77 <= metrics["overall"]["age_interval_coverage"]["value"] <= 0.83
    for figures in metrics["groups"]["age"].values():
        if figures["age_interval_coverage"]["n"] >= 100:
            assert 0.70 <= figures["age_interval_coverage"]["value"] <= 0.90


def test_the_card_is_generated_from_the_metrics_and_accepted(root, metrics):
    from huggingface_hub import ModelCard

    config = json.loads((root / "hf_model" / "config.json").read_text(encoding="utf-8"))
    text = render_card(metrics, config)
    assert (root / "MODEL_CARD.md").read_text(encoding="utf-8") == text
    card = ModelCard(text)
    assert card.data.library_name == "keras"
    assert card.data.eval_results[0].metric_value == metrics["overall"]["age_mae"]["value"]
    for heading in ("Intended use", "Out-of-scope use", "Limitations", "Bias", "Licence"):
        assert f"\n## {heading}\n" in text
    assert "{{" not in text
    assert "nan" not in text.split()


@pytest.mark.parametrize("name", ["README.md", "train/README.md"])
def test_figures_in_the_readmes_follow_what_was_measured(root, metrics, name):
    readme = (root / name).read_text(encoding="utf-8")
    assert render_figures(readme, metrics) == readme
    changed = json.loads(json.dumps(metrics))
    changed["overall"]["age_mae"]["value"] += 1
    assert render_figures(readme, changed) != readme
    with pytest.raises(KeyError, match="unknown"):
        render_figures("<!-- figures: unknown -->\n<!-- /figures -->", metrics)
