"""Measures a model: fits the constants that depend on its weights, and writes the figures that are reported of it.

    python -m train.measure [STEP ...] --data UTKFACE [--also SET ...] [--external FOLDER ...]

Without a step everything is measured anew, which ``make evaluate`` does. What the network said is kept in
``cache/outputs``, so that a command that was broken off goes on. Intervals are 95 % percentile bootstrap intervals over
faces (1,000 resamples, seeded).
"""

import argparse
import pathlib
from typing import Any

from hf_model.console import expanded_path
from train.measure import files
from train.measure.context import Context
from train.measure.steps import APART, CALIBRATE, REPORT, STEPS, Step, chosen


def named_folder(text: str) -> tuple[str, pathlib.Path]:
    """``NAME=FOLDER`` taken apart."""
    name, is_there, folder = text.partition("=")
    if not is_there:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER")
    return name, expanded_path(folder)


def parse(argv: list[str] | None = None) -> tuple[list[Step], Context]:
    """The steps and what they share, of a command line."""
    listed = "\n".join(f"  {name:13}{step.about}" for name, step in STEPS.items())
    parser = argparse.ArgumentParser(
        prog="python -m train.measure",
        description=(__doc__ or "").partition("\n\n")[0],
        epilog=(
            f"steps:\n{listed}\n\ngroups: calibrate, report; {', '.join(step.name for step in APART)} run only "
            f"when asked for."
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("steps", nargs="*", metavar="STEP", help="what to measure, of the list below (default: everything)")
    add("--model", type=expanded_path, default=pathlib.Path("hf_model"), help="model folder (default: hf_model)")
    add("--data", required=True, help="UTKFace: its folder or archive")
    add("--also", action="append", default=[], help="a further set that the weights were trained on")
    add("--external", type=expanded_path, action="append", default=[], help="a set that is only measured on")
    add(
        "--before",
        type=named_folder,
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="an earlier model, for compare",
    )
    add("--split", default="test", choices=["validation", "test"], help="that figures are reported on (default: test)")
    add("--limit", type=int, help="at most so many faces of a split, to try it small")
    add("--limit-changed", type=int, help="at most so many faces for the changed rows, the slowest part")
    add("--recipe", default="best", help="says which faces of further sets are held out (default: best)")
    add("--backbone-weights", default="imagenet", help="for ablate: imagenet (downloaded), or a path")
    add("--cache", type=expanded_path, default=pathlib.Path("cache"), help="where outputs are kept (default: cache)")
    values: dict[str, Any] = vars(parser.parse_args(argv))
    try:
        steps = chosen(values.pop("steps"))
    except ValueError as error:
        parser.error(str(error))
    shared: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return steps, Context(**shared)


def measure(steps: list[Step], context: Context) -> None:
    """Runs steps in their order. Figures are written together, when the last of them is there.

    Raises:
        ValueError: an input is wrong, or the calibration is of other weights.
    """
    sections: dict = {}
    reports = [step for step in steps if step in REPORT]
    for step in steps:
        print(f"\n=== {step.name}: {step.about}", flush=True)
        if step in reports:
            files.check_calibration(context)
        made = step.run(context)
        if step in reports:
            sections |= {step.section: made} if step.section and made is not None else made or {}
            if step is reports[-1]:
                files.write_figures(context, sections, is_all=len(reports) == len(REPORT))
        elif made:
            files.write_constants(context, made)
        if step in CALIBRATE:
            context = context.anew()


def main(argv: list[str] | None = None) -> None:
    try:
        measure(*parse(argv))
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
