"""Faithfulness of the heat maps: what covering the hottest and the coldest fifth of a face does to the
answer."""

import numpy as np

from hf_model.calibration import logit
from hf_model.network.heat_maps import TARGETS
from hf_model.pictures.changes import GREY
from hf_model.predictor import AgeGenderPredictor
from train.measure.context import Context
from train.measure.raw.bootstrap import bootstrap

CHIPS = 200
SHARE = 5  # one of so many pixels is covered


def run(context: Context) -> dict[str, dict]:
    """The section ``explanation``: for each target how far the answer moves on average, and the ratio of the two.

    Returns:
        ``{"age": {"hottest", "coldest", "ratio"}, "gender": ...}`` with intervals; age in years, gender in logit.
    """
    chips = context.chips(context.split)
    rows = np.sort(np.random.default_rng(0).permutation(len(chips))[: context.limit_changed or CHIPS])
    return {target: _moved(context.outputs.predictor, chips.images[rows], target) for target in TARGETS}


def _moved(predictor: AgeGenderPredictor, images: np.ndarray, target: str) -> dict[str, dict]:
    covered: list[np.ndarray] = []
    for image in images:
        (explained,) = predictor.explain(image, target=target, faces="none")
        heat = np.abs(explained.heatmap)
        pixels = np.asarray(explained.crop)
        order = np.argsort(heat, axis=None, kind="stable")
        covered.append(pixels)
        for chosen in (order[-heat.size // SHARE :], order[: heat.size // SHARE]):
            hidden = pixels.copy()
            hidden.reshape(-1, 3)[chosen] = GREY
            covered.append(hidden)
    answers = [faces[0] for faces in predictor.raw(covered, faces="none")]
    if target == "age":
        values = np.array([answer.age for answer in answers])
    else:
        values = logit(np.array([answer.female_probability for answer in answers]))
    plain, hottest, coldest = values.reshape(-1, 3).T
    moved = {"hottest": np.abs(hottest - plain), "coldest": np.abs(coldest - plain)}

    def figures(rows: np.ndarray) -> dict[str, float]:
        means = {name: float(change[rows].mean()) for name, change in moved.items()}
        return means | {"ratio": means["hottest"] / max(means["coldest"], 1e-9)}

    return bootstrap(figures, len(plain))
