"""The steps of ``python -m train.measure``, in their order."""

import dataclasses
import importlib
from collections.abc import Callable

from train.measure.context import Context


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing that is measured: a module of this package with a ``run(context)``.

    ``section``: of ``metrics.json``, where ``run`` returns one; "" where it returns several by name.
    """

    name: str
    module: str
    about: str
    section: str = ""

    @property
    def run(self) -> Callable[[Context], dict | None]:
        """Imported here, because the libraries of one step need not be installed for another."""
        return importlib.import_module(f"train.measure.{self.module}").run


PLAN = Step("plan", "report.plan", "what will be measured, and how long it takes")
# What each writes into config.json depends on those above it.
CALIBRATE = (
    Step(
        "familiarity",
        "calibrate.fit_familiarity",
        "familiarity.safetensors: the distribution of faces in feature space",
    ),
    Step("uncertainty", "calibrate.uncertainty", "prediction intervals and gender probabilities, into config.json"),
    Step("quality", "calibrate.quality_limits", "limits of picture quality for warnings, into config.json"),
    Step("int8", "calibrate.int8_ranges", "activation_ranges.json: the quantization ranges of int8"),
)
REPORT = (
    Step("overall", "report.overall", "errors on the reported split, by group"),
    Step("adulthood", "report.adulthood", "the 18-year line", "adulthood"),
    Step("end_to_end", "report.end_to_end", "chips in scenes, found by the detector", "end_to_end"),
    Step("robustness", "report.robustness", "changed pictures, and hit rates of the warnings"),
    Step("false_positives", "report.false_positives", "the detector's false positives", "quality"),
    Step("engines", "report.engines", "every engine and precision", "engines"),
    Step("explanations", "report.explanations", "faithfulness of the heat maps", "explanation"),
    Step("datasets", "report.datasets", "the sets of --external", "external"),
    Step("london", "report.london", "the faces that may be shown: self-reported ages, two photos a person", "london"),
    Step(
        "audit",
        "report.audit",
        "what auditors ask for: spread, lines of age, several photos, people's guesses",
        "audit",
    ),
    Step("leakage", "report.leakage", "train–test leakage: figures without leaked faces", "leakage"),
    Step("stability", "report.stability", "coverage of intervals fitted on random halves", "stability"),
)
PLOTS = Step("plots", "report.plots", "the card's plots, from metrics.json")
# Run alone, when they are asked for.
APART = (
    Step("crop", "calibrate.crop", "the crop from landmarks, into config.json"),
    Step("compare", "report.compare", "the model beside those of --before, into report/models.json"),
    Step("ablate", "report.ablate", "short trainings that differ in one thing, into report/ablations.json"),
)
GROUPS = {"calibrate": CALIBRATE, "report": (*REPORT, PLOTS), "": (PLAN, *CALIBRATE, *REPORT, PLOTS)}
STEPS = {step.name: step for step in (*GROUPS[""], *APART)}


def chosen(names: list[str]) -> list[Step]:
    """The steps of some names, of steps and of groups, in their order; of no names those of ``make evaluate``.

    Raises:
        ValueError: there is no such step.
    """
    wanted: set[str] = set()
    for name in names or [""]:
        if name not in STEPS and name not in GROUPS:
            raise ValueError(
                f"There is no step {name!r}. Steps: {', '.join(STEPS)}; groups of them: calibrate, report."
            )
        wanted |= {step.name for step in GROUPS[name]} if name in GROUPS else {name}
    return [step for name, step in STEPS.items() if name in wanted]
