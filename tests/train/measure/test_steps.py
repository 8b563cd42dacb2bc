"""The one command that measures: its steps, their order, and the two files that it writes."""

import json

import pytest

from train.measure import files
from train.measure.__main__ import main, measure, parse
from train.measure.context import Context
from train.measure.steps import REPORT, STEPS, Step, chosen


@pytest.fixture
def model(tmp_path, root):
    """A model folder without weights that anybody could run."""
    (tmp_path / "model.safetensors").write_bytes(b"new weights")
    config = json.loads((root / "hf_model" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


@pytest.fixture
def context(model, monkeypatch):
    about = {"weights_sha256": "new", "settings_sha256": "as now", "split": "test"}
    monkeypatch.setattr(files, "about", lambda _: dict(about))
    return Context(model, "", model)


def names(*wanted):
    return [step.name for step in chosen(list(wanted))]


def test_steps_run_in_their_order_whatever_order_they_are_named_in():
    assert names() == [*STEPS][: -len(("crop", "compare", "ablate"))]
    assert names()[0] == "plan"
    assert names("plots", "uncertainty", "familiarity") == ["familiarity", "uncertainty", "plots"]
    assert names("report", "crop") == [*(step.name for step in REPORT), "plots", "crop"]
    for step in STEPS.values():
        assert callable(step.run), step.name


def test_an_unknown_step_is_named_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["overal", "--data", "x"])
    assert "There is no step 'overal'. Steps: plan, familiarity," in capsys.readouterr().err


def test_the_command_line_says_what_is_shared(tmp_path):
    arguments = [
        "overall",
        "--data",
        "faces",
        "--before",
        f"0.2.0={tmp_path}",
        "--limit",
        "9",
        "--external",
        str(tmp_path),
    ]
    steps, context = parse(arguments)
    assert [step.name for step in steps] == ["overall"]
    assert (context.before, context.external, context.limit) == ((("0.2.0", tmp_path),), (tmp_path,), 9)
    with pytest.raises(SystemExit):
        parse(["overall", "--data", "faces", "--before", "no folder"])


def test_a_report_is_refused_where_the_calibration_is_of_other_weights(context, capsys):
    with pytest.raises(SystemExit, match=r"the calibration is of .*First run python -m train\.measure calibrate"):
        main(["overall", "--data", "x", "--model", str(context.model)])
    files.write_constants(
        context, {"calibration": json.loads((context.model / "config.json").read_text())["calibration"]}
    )
    files.check_calibration(context)
    (context.model / "model.safetensors").write_bytes(b"newer weights")
    with pytest.raises(ValueError, match="the calibration is of"):
        files.check_calibration(context)


def test_a_crop_says_nothing_of_the_calibration(context):
    before = json.loads((context.model / "config.json").read_text()).get("calibrated_for")
    files.write_constants(context, {"crop": {"offset_x": 1}})
    after = json.loads((context.model / "config.json").read_text())
    assert (after.get("calibrated_for"), after["crop"]) == (before, {"offset_x": 1})


def written(context):
    return json.loads((context.model / "metrics.json").read_text(encoding="utf-8"))


def test_one_step_measured_again_replaces_its_figures_and_no_others(context):
    files.write_figures(context, {"overall": 1, "external": 2}, is_all=True)
    files.write_figures(context, {"external": 3}, is_all=False)
    assert (written(context)["overall"], written(context)["external"]) == (1, 3)
    files.write_figures(context, {"overall": 4}, is_all=True)
    assert "external" not in written(context)


def test_figures_of_other_weights_do_not_stand_beside_new_ones(context, monkeypatch):
    files.write_figures(context, {"overall": 1}, is_all=True)
    monkeypatch.setattr(
        files, "about", lambda _: {"weights_sha256": "newer", "settings_sha256": "as now", "split": "test"}
    )
    with pytest.raises(
        ValueError, match=r"weights_sha256 differ from the model\'s\. Run python -m train\.measure report"
    ):
        files.write_figures(context, {"external": 3}, is_all=False)
    assert "external" not in written(context)


def test_what_engines_did_that_are_not_here_is_kept_for_the_same_weights_alone(context, monkeypatch):
    files.write_figures(context, {"engines": {"openvino/bfloat16": 3}}, is_all=True)
    files.write_figures(context, {"engines": {"onnx/int8": 4}}, is_all=True)
    assert written(context)["engines"] == {"openvino/bfloat16": 3, "onnx/int8": 4}
    monkeypatch.setattr(files, "about", lambda _: {"weights_sha256": "newer"})
    files.write_figures(context, {"engines": {"onnx/int8": 5}}, is_all=True)
    assert written(context)["engines"] == {"onnx/int8": 5}


def test_figures_are_written_together_when_the_last_step_is_done(context, monkeypatch):
    monkeypatch.setattr(files, "check_calibration", lambda _: None)
    made = {"first": {"several": 1}, "second": 2}
    steps = [Step("first", "", ""), Step("second", "", "", "one"), Step("third", "", "", "none")]

    class Ran(Step):
        def run(self, context):
            assert not (context.model / "metrics.json").exists()
            return made.get(self.name)

    steps = [Ran(step.name, "", "", step.section) for step in steps]
    monkeypatch.setattr("train.measure.__main__.REPORT", steps)
    measure(steps, context)
    assert {"several": 1, "one": 2}.items() <= written(context).items()
    assert "none" not in written(context)
