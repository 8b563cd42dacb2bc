"""What the card and the READMEs tell of datasets."""

from train.release.dataset_facts import elsewhere, gaps, leakage, side_by_side, title_of, trained_on
from train.release.figures import models, trained

HISTORY = [
    {"run": {"data_fingerprint": "one string, as early runs kept it"}},
    {"run": {"data_fingerprint": {"train": "a", "validation": "b", "test": "c", "fairface": "d", "mine": "e"}}},
]


def figure(value: float) -> dict:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 40}


METRICS = {
    "split": "test",
    "overall": {"age_mae": figure(4.5), "age_cs5": figure(0.66), "age_interval_coverage": figure(0.8)},
    "groups": {"range": {"13 and older": {"gender_accuracy": figure(0.96)}}},
    "external": {
        "fairface": {
            "bin_distance": figure(2.5),
            "inside_bin": figure(0.5),
            "range_meets_bin": figure(0.9),
            "gender_10plus": figure(0.9),
            "gaps": {"gender_10plus": figure(0.05), "bin_distance": figure(0.4)},
        },
        "appareal_val": {"age_mae": figure(6.5), "age_cs5": figure(0.5), "age_interval_coverage": figure(0.7)},
        "adience_sample": {"bin_distance": figure(2.0), "inside_bin": figure(0.6), "gender_10plus": figure(0.95)},
        "none": {"missed": {"value": 3, "n": 3}, "groups": {}},
    },
}


def test_sets_are_those_of_all_runs_with_utkface_first():
    trained = trained_on(HISTORY)
    assert list(trained) == ["utkface", "fairface", "mine"]
    assert trained["fairface"]["terms"] == "CC BY 4.0"
    assert trained["mine"] == {"title": "mine"}  # a set that nobody described is named all the same
    assert list(trained_on(HISTORY[:1])) == ["utkface"]


def test_a_dataset_is_in_domain_where_its_other_images_were_trained_on():
    rows = {row["title"]: row for row in side_by_side(METRICS, HISTORY)}
    assert {title: row["domain"] for title, row in rows.items()} == {
        "UTKFace, test": "in-domain",
        "FairFace, validation": "in-domain",
        "APPA-REAL, validation": "out-of-domain",  # no run of this history saw APPA-REAL
        "Adience, one album": "out-of-domain",
    }
    assert rows["FairFace, validation"]["age"] == "2.50 years outside the bin"
    assert (
        rows["APPA-REAL, validation"] | {"near": "50.0 % within 5 years", "coverage": "70.0 %", "gender": "–"}
        == rows["APPA-REAL, validation"]
    )


def test_one_sentence_tells_of_every_set_that_was_answered():
    assert elsewhere(METRICS).split("; ") == [
        "FairFace, validation: mean age error 2.50 years outside the bin, gender accuracy at 10 and older 90.0 %",
        "APPA-REAL, validation: mean age error 6.50 years",
        "Adience, one album: mean age error 2.00 years outside the bin, gender accuracy at 10 and older 95.0 %",
    ]
    assert elsewhere({}) == ""
    assert title_of("none") == "none"


def test_gaps_between_races_are_told_with_their_intervals():
    (told,) = gaps(METRICS)
    assert told.startswith(
        "FairFace, validation: 5.0 % (-5.0 % to 15.0 %) in gender accuracy at 10 and older, 0.40 (0.30 to 0.50) years"
    )


def test_models_stand_beside_each_other_with_paired_differences(monkeypatch, tmp_path):
    path = tmp_path / "models.json"
    path.write_text(
        """{"weights_sha256": {"old": "a", "shipped": "b"}, "sets": {"utkface": {
        "models": {"old": {"age_mae": 5.0, "gender": 0.9}, "shipped": {"age_mae": 4.5, "gender": 0.92}},
        "gained_on": {"old": {"age_mae": {"value": -0.5, "low": -0.7, "high": -0.3}, "gender": {"value": 0.02, "low": 0.01, "high": 0.03}}}}}}"""
    )
    monkeypatch.setattr("train.release.figures.MODELS", path)
    head, _, age, gender, *_ = models({}).splitlines()
    assert head == "| dataset | measure | old | shipped | shipped − old |"
    assert age == "| UTKFace, test | age: mean error, years | 5.00 | 4.50 | -0.50 (-0.70 to -0.30) |"
    assert gender == "| UTKFace, test | gender: accuracy | 90.0 % | 92.0 % | +2.00 (+1.00 to +3.00) |"


def test_the_terms_name_every_set_with_its_own(monkeypatch):
    monkeypatch.setattr("train.release.figures.read_history", lambda: HISTORY)
    first, second, third = trained({}).splitlines()
    assert first.startswith("- **UTKFace**, for non-commercial research only (https://")
    assert second.startswith("- **FairFace**, CC BY 4.0 (https://")
    assert "Kärkkäinen" in second
    assert third == "- **mine**."


def test_leakage_is_reported_with_and_without():
    leaked = {
        "utkface": {
            "leaked": 13,
            "of": 1980,
            "all": {"age_mae": 4.43, "gender_10plus": 0.97, "age_mae_gap": 2.0},
            "without": {"age_mae": 4.44, "gender_10plus": 0.969, "age_mae_gap": 2.0},
        }
    }
    (row,) = leakage(METRICS | {"leakage": leaked})
    assert row["title"] == f"UTKFace, {METRICS['split']}"
    assert (row["leaked"], row["of"]) == (13, 1980)
    assert row["figures"] == "4.43 → 4.44 years of mean age error; 97.0 % → 96.9 % gender accuracy at 10 and older"
    assert leakage(METRICS) == []
