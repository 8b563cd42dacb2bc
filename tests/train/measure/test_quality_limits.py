import json

import numpy as np
import pytest

from hf_model.faces.quality import BEGINNINGS, MEASURES, warnings_of
from hf_model.pictures.changes import CHANGES
from hf_model.settings import as_json
from train.data import Chips
from train.measure.calibrate.quality_limits import (
    FALSE_ALARM_PERCENT,
    LADDERS,
    ChangedFaces,
    beyond_edge,
    in_bins,
    is_beyond,
    joined,
    limit_of,
    measure_limits,
)
from train.measure.raw.outputs import RawOutputs

USUAL = {"age_mae": 4.0, "gender_accuracy": 0.96}


def step(value, error, right=0.96, n=100):
    return ChangedFaces(np.full(n, float(value)), np.full(n, float(error)), (np.arange(n) < right * n).astype(float))


UNSEEN = np.full(5, np.nan)


def test_where_chips_do_not_show_a_measure_a_limit_is_where_all_worse_steps_cost():
    sizes = [step(100, 4), step(80, 4.9), step(64, 4.1), step(48, 4.8), step(32, 6), step(16, 9)]
    assert limit_of(sizes, USUAL, "below", UNSEEN) == 48  # that 80 costs, and 64 does not, is chance
    assert limit_of(sizes[:3], USUAL, "below", UNSEEN) is None
    genders = [step(0.1, 4), step(0.2, 4, 0.945), step(0.3, 4, 0.94), step(0.4, 4, 0.9)]
    assert limit_of(genders, USUAL, "above", UNSEEN) == pytest.approx(0.3)
    assert limit_of([], USUAL, "above", UNSEEN) is None
    assert is_beyond(np.array([10, 48, 50]), "below", 48).tolist() == [True, True, False]
    assert is_beyond(np.array([10, 48, 50]), "above", 48).tolist() == [False, True, True]


def test_else_it_is_what_few_faces_as_they_are_lie_beyond_where_that_costs():
    unchanged = np.append(np.linspace(0, 1, 1001), np.nan)
    steps = [step(0.5, 4), step(0.995, 5), step(1.2, 6)]
    limit = limit_of(steps, USUAL, "above", unchanged)
    assert limit == pytest.approx(1 - FALSE_ALARM_PERCENT / 100)
    assert (unchanged > limit).sum() <= 6
    assert limit_of([step(0.5, 4), step(1.2, 4.1)], USUAL, "above", unchanged) is None  # it costs nothing there
    assert limit_of([step(0.5, 9)], USUAL, "above", unchanged) is None  # nothing was seen there
    assert limit_of([step(0.001, 9)], USUAL, "below", unchanged) == pytest.approx(FALSE_ALARM_PERCENT / 100)


def test_bins_go_from_good_to_bad():
    faces = joined([step(value, 4) for value in np.random.default_rng(0).permutation(40)])
    below = [bin_.value.mean() for bin_ in in_bins(faces, "below")]
    assert below == sorted(below, reverse=True)
    above = [bin_.value.mean() for bin_ in in_bins(faces, "above")]
    assert above == sorted(above)
    assert in_bins(step(1, 4, n=30), "above") == []  # too few to tell anything


def test_ladders_name_measures_and_changes_that_there_are():
    for ladder in LADDERS:
        assert ladder.measure in MEASURES
        assert ladder.measure in BEGINNINGS
        assert all(name in CHANGES or name == "beyond_edge" for name in ladder.change.split())
        assert len({name for name, _, _ in ladder.steps()}) >= len(ladder.strengths)


def test_beyond_an_edge_it_is_repeated(astronaut):
    changed = np.asarray(beyond_edge(astronaut, 0.25))
    assert (changed[:, :128] == changed[:, 128:129]).all()
    assert np.array_equal(changed[:, 128:], np.asarray(astronaut)[:, 128:])


@pytest.mark.timeout(400)
def test_limits_are_measured_end_to_end_and_make_warnings(root, predictor, astronaut, monkeypatch):
    """On copies of one face with labels that its own answer is right about: whatever moves it costs."""
    from train.measure.calibrate import quality_limits

    ((_, crop),) = predictor.crops(astronaut)
    crop = crop.resize((200, 200))
    (plain,) = predictor(crop, faces="none")
    n = 8
    text = np.array([str(i) for i in range(n)])
    labels = *[np.full(n, plain.age)] * 2, np.full(n, int(plain.female_probability >= 0.5))
    chips = Chips(np.stack([np.asarray(crop)] * n), *labels, *[np.full(n, "white")] * 2, text, text)
    sizes = quality_limits.Ladder("face_size", "below", "pixels", (160, 24, 16), is_the_measure=True)
    monkeypatch.setattr(quality_limits, "LADDERS", (sizes,))
    limits = measure_limits(RawOutputs(root / "hf_model", None), {"validation": chips, "test": chips}, n)
    small = next(limit for limit in limits if limit.measure == "face_size")
    assert small.threshold in (16, 24, 160)
    assert small.age_mae > small.age_mae_usual
    assert small.n >= n
    json.dumps(as_json(tuple(limits)))
    assert not any(limit.measure == "verification_score" for limit in limits)
    values = dict.fromkeys(MEASURES) | {"face_size": 10.0}
    assert warnings_of(values, limits)[0].startswith("The face is only 10 pixels wide. In tests, ages")
    asked = {"validation": chips, "test": chips}
    assert measure_limits(RawOutputs(root / "hf_model", None), asked, n, ("contrast",)) == []  # none of its ladders
