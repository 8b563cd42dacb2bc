"""Writes MODEL_CARD.md, and the figures in README.md, from the template and ``metrics.json``.

    python -m train.card [--check]

No number is typed by hand. ``--check`` writes nothing and fails where a file is stale.
"""

import argparse
import json
import pathlib
import re
import sys

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from train.config import read_config
from train.recipe import load_recipe

TEMPLATE = pathlib.Path(__file__).with_name("card_template.md")
MEASURES = (
    ("age_mae", "age: mean absolute error, years", "years"),
    ("age_median_error", "age: median absolute error, years", "years"),
    ("age_bias", "age: mean signed error, years", "years"),
    ("age_cs5", "age: share within 5 years", "share"),
    ("age_interval_coverage", "age: labels inside the 80 % interval", "share"),
    ("gender_accuracy", "gender: accuracy at 0.5", "share"),
    ("gender_auc", "gender: area under the ROC curve", "number"),
    ("gender_recall_female", "gender: recall of label female", "share"),
    ("gender_recall_male", "gender: recall of label male", "share"),
    ("gender_coverage", "gender: share of faces not called uncertain", "share"),
    ("gender_accuracy_decided", "gender: accuracy among those", "share"),
    ("gender_accuracy_uncertain_wrong", "gender: accuracy, uncertain counted as wrong", "share"),
    ("gender_ece", "gender: expected calibration error", "number"),
)
MARKERS = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def show(value: float, unit: str) -> str:
    """A figure as text: years with one decimal, shares in per cent, others with three decimals."""
    if unit == "years":
        return f"{value:.2f}"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.3f}"


def extreme(levels: dict, pick) -> dict[str, str]:
    """The level with the ``pick`` (min or max) mean age error, and that error."""
    level = pick(levels, key=lambda name: levels[name]["age_mae"]["value"])
    return {"level": level, "figures": show(levels[level]["age_mae"]["value"], "years")}


def children(metrics: dict) -> dict[str, float]:
    """Gender accuracy below 13 years, from the age bins that end before 13."""
    young = [
        figures["gender_accuracy"] for name, figures in metrics["groups"]["age"].items() if int(name.split("-")[1]) < 13
    ]
    total = sum(figure["n"] for figure in young)
    return {"gender_accuracy": sum(figure["value"] * figure["n"] for figure in young) / total}


def render_card(metrics: dict, config: dict) -> str:
    """The text of MODEL_CARD.md."""
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type="utkface",
            dataset_name="UTKFace (aligned and cropped)",
            dataset_split=metrics["split"],
            metric_type=kind,
            metric_name=name,
            metric_value=metrics["overall"][key]["value"],
        )
        for key, kind, name in (
            ("age_mae", "mae", "Age MAE (years)"),
            ("gender_accuracy", "accuracy", "Gender accuracy"),
            ("gender_auc", "roc_auc", "Gender AUC"),
        )
    ]
    data = ModelCardData(
        library_name="keras",
        pipeline_tag="image-classification",
        license="other",
        license_name="utkface-non-commercial",
        license_link="LICENSE-WEIGHTS.md",
        datasets=["utkface"],
        metrics=["mae", "accuracy", "roc_auc"],
        tags=["age-estimation", "gender-classification", "face", "resnet50", "tensorflow"],
        model_name="age-gender-resnet50",
        eval_results=results,
    )
    groups = metrics["groups"]
    return str(
        ModelCard.from_template(
            data,
            template_path=str(TEMPLATE),
            metrics=metrics,
            decision=config["decision"],
            input=config["input"],
            age_interval=config["age_interval"],
            version=config["model_version"],
            training=load_recipe(metrics["recipe"]),
            measures=MEASURES,
            show=show,
            children=children(metrics),
            worst={factor: extreme(groups[factor], max) for factor in ("age", "race", "gender")},
            best={factor: extreme(groups[factor], min) for factor in ("age", "race", "gender")},
        )
    )


def render_readme(text: str, metrics: dict) -> str:
    """README.md with its figures between the markers replaced."""
    rows = ["| measured on the test split | value | 95 % interval |", "|---|---|---|"]
    for key, name, unit in MEASURES:
        if key in ("age_mae", "age_cs5", "age_interval_coverage", "gender_accuracy", "gender_auc"):
            figure = metrics["overall"].get(key)
            if figure:
                rows.append(
                    f"| {name} | {show(figure['value'], unit)} | {show(figure['low'], unit)} to {show(figure['high'], unit)} |"
                )
    for name, figures in metrics["groups"]["range"].items():
        mae, accuracy = figures["age_mae"], figures["gender_accuracy"]
        rows.append(
            f"| ages {name}: age MAE, years | {show(mae['value'], 'years')} | {show(mae['low'], 'years')} to {show(mae['high'], 'years')} |"
        )
        rows.append(
            f"| ages {name}: gender accuracy | {show(accuracy['value'], 'share')} | {show(accuracy['low'], 'share')} to {show(accuracy['high'], 'share')} |"
        )
    rows.append(
        f"\n{metrics['overall']['age_mae']['n']} test faces of UTKFace that share no picture with the training faces.\n"
    )
    return MARKERS.sub(lambda match: match[1] + "\n".join(rows) + match[2], text)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.card", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=pathlib.Path, default=pathlib.Path("hf_model"))
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    args = parser.parse_args(argv)
    metrics = json.loads((args.model / "metrics.json").read_text(encoding="utf-8"))
    readme = pathlib.Path("README.md")
    texts = {
        pathlib.Path("MODEL_CARD.md"): render_card(metrics, read_config(args.model / "config.json")),
        readme: render_readme(readme.read_text(encoding="utf-8"), metrics),
    }
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if args.check:
        if stale:
            sys.exit(f"{', '.join(map(str, stale))} does not match metrics.json: run `python -m train.card`.")
        return
    for path in stale:
        path.write_text(texts[path], encoding="utf-8")
        print(f"Wrote {path}")


if __name__ == "__main__":
    main()
