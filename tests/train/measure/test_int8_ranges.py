"""Ranges under which engines sum alike in int8."""

import pytest

from hf_model.network.graphs import network_graph
from hf_model.network.layout import NETWORKS
from hf_model.network.weights import read_tensors
from hf_model.settings import Settings
from train.measure.calibrate.int8_ranges import OperandNames, ties, without_ties

RANGES = {"branch": [-90.3, 97.1], "shortcut": [0.0, 203.7], "sum_relu": [0.0, 300.0], "other": [-1.0, 1.0]}
OPERANDS = ["branch", "shortcut"]


def test_sums_that_are_a_half_are_counted():
    halves = RANGES | {"branch": [-75.0, 75.0], "shortcut": [0.0, 150.0]}
    assert ties(halves, OPERANDS, "sum_relu") > 1000  # half steps of two: every second pair
    whole = RANGES | {"branch": [-150.0, 150.0], "shortcut": [0.0, 300.0]}
    assert ties(whole, OPERANDS, "sum_relu") == 0


def test_a_hair_rids_ranges_of_them():
    assert ties(RANGES, OPERANDS, "sum_relu") > 0
    made = without_ties(RANGES, {"sum_relu": OPERANDS})
    assert ties(made, OPERANDS, "sum_relu") == 0
    assert made["branch"] == pytest.approx(RANGES["branch"], rel=0.01)
    assert made["branch"] != RANGES["branch"]
    assert {name: made[name] for name in ("shortcut", "sum_relu", "other")} == {
        name: RANGES[name] for name in ("shortcut", "sum_relu", "other")
    }
    assert RANGES["branch"] == [-90.3, 97.1]  # what was given is left alone


def test_without_any_way_out_it_says_where(monkeypatch):
    monkeypatch.setattr("train.measure.calibrate.int8_ranges.MOST_HAIRS", 1)
    with pytest.raises(ValueError, match="sum_relu: every range of branch"):
        without_ties(RANGES, {"sum_relu": OPERANDS})


def test_every_sum_of_the_network_is_known_by_what_is_rounded_of_it(root):
    settings = Settings.load(root / "hf_model")
    graph = OperandNames()
    network_graph(
        read_tensors(root / "hf_model" / "model.safetensors"),
        NETWORKS["resnet50"],
        settings.heads,
        settings.input.size,
        graph,
    )
    assert len(graph.sums) == 16
    assert set(graph.sums) <= set(graph.names)
    assert graph.sums["conv2_block1_sum_relu"] == ["conv2_block1_3", "conv2_block1_0"]
    assert graph.sums["conv3_block1_halved"][0] == "conv2_block3_3"
