"""What each engine and precision costs in accuracy, on the split that figures are reported on."""

import pathlib

import numpy as np

from hf_model.network.engines.choice import ENGINES, installed, make_engine
from hf_model.network.engines.graph_files import RANGES
from hf_model.network.engines.processor import CPUINFO, lacks_vnni
from hf_model.settings import Decision
from train.measure.context import Context
from train.measure.raw.answers import Answers, answers_of
from train.measure.raw.bootstrap import bootstrap
from train.measure.raw.columns import columns_of
from train.measure.raw.outputs import RawOutputs


def runnable(folder: pathlib.Path) -> list[tuple[str, str]]:
    """The engines and precisions that can be measured here: installed, and what the processor and the folder have."""
    found = []
    for name, engine in ENGINES.items():
        for precision in engine.precisions:
            if name != "keras" and name not in installed(precision):
                continue
            if precision == "bfloat16" and make_engine(name).precision != "bfloat16":
                continue  # computed in float32 there
            if precision == "int8" and not (folder / RANGES).is_file():
                continue
            found.append((name, precision))
    return found


def run(context: Context) -> dict:
    """The section ``engines``: for each engine and precision its errors, and how far its answers are from those in
    float32.

    Returns:
        ``"openvino/int8"`` and the like to figures with intervals: ``age_mae``, ``gender_accuracy``, ``age_change``
        (mean, years), ``gender_changed`` (share on the other side of 0.5), and ``age_mae_more`` and
        ``gender_accuracy_more``, paired differences.
    """
    chips, settings = context.chips(context.split), context.settings
    sections = {}
    for engine, precision in runnable(context.model):
        outputs = RawOutputs(context.model, context.cache, engine, precision)
        answers = answers_of(outputs.chips(context.split, chips.images), context.answers.labels, settings)
        sections[row_of(outputs.predictor.engine)] = beside_exact(answers, context.answers, settings.decision)
    return sections


def row_of(engine: str, cpuinfo: pathlib.Path = CPUINFO) -> str:
    """The row of an engine: in int8 one of its own on x86 processors without VNNI, where sums of products may
    overflow."""
    return f"{engine}, no VNNI" if engine.endswith("/int8") and lacks_vnni(cpuinfo) else engine


def beside_exact(answers: Answers, exact: Answers, decision: Decision) -> dict[str, dict]:
    """The figures of one engine beside those in float32."""
    here, there = (columns_of(one, decision) for one in (answers, exact))
    right = [table["gender"].values.astype(float) for table in (here, there)]
    columns = {
        "age_mae": here["age_mae"].values,
        "gender_accuracy": right[0],
        "age_change": np.abs(answers.age - exact.age),
        "gender_changed": ((answers.female >= 0.5) != (exact.female >= 0.5)).astype(float),
        "age_mae_more": here["age_mae"].values - there["age_mae"].values,
        "gender_accuracy_more": right[0] - right[1],
    }
    return bootstrap(lambda rows: {name: float(values[rows].mean()) for name, values in columns.items()}, len(answers))
