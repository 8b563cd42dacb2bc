"""Writes MODEL_CARD.md, and the figures in the READMEs, from the template and files that commands wrote.

    python -m train.release.card [--check]

No number is typed by hand. ``--check`` writes nothing and fails where a file is stale.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Collection

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from hf_model.console import expanded_path
from hf_model.settings import Settings
from train.history import read_history, recipe_values
from train.release.bench_figures import BENCHMARKS, peers
from train.release.dataset_facts import elsewhere, facts, gaps, leakage, side_by_side, title_of, trained_on
from train.release.figures import EXTERNAL_MEASURES, MEASURES, render_figures
from train.release.units import show

TEMPLATE = pathlib.Path(__file__).with_name("card_template.md")


def extreme(levels: dict, pick, metric: str = "age_mae", unit: str = "years") -> dict[str, str]:
    """The level with the ``pick`` (min or max) value of a metric, and that value; pooled levels left out."""
    level = pick((name for name in levels if name != "pooled"), key=lambda name: levels[name][metric]["value"])
    return {"level": level, "figures": show(levels[level][metric]["value"], unit)}


def children(metrics: dict) -> dict[str, float]:
    """Gender accuracy of faces with a predicted age under 13, from the bins of predicted age that end before 13."""
    young = [
        figures["gender_accuracy"]
        for name, figures in metrics["by_predicted_age"].items()
        if int(name.split("-")[1]) < 13
    ]
    total = sum(figure["n"] for figure in young)
    return {"gender_accuracy": sum(figure["value"] * figure["n"] for figure in young) / total}


def london_rows(metrics: dict) -> list[tuple[str, dict]]:
    """The rows of the card's table of the faces that may be shown: all, then each group with its figures."""
    section = metrics.get("london")
    if not section:
        return []
    groups = [(name.replace("_", " "), one) for part in section["groups"].values() for name, one in part.items()]
    return [("all", section["overall"]), *groups]


def plots_in(folder: pathlib.Path) -> set[str]:
    """The names of a model folder's plots."""
    return {path.stem for path in (folder / "plots").glob("*.png")}


def results_of(metrics: dict) -> list[EvalResult]:
    """The figures of the card's ``model-index``: UTKFace's, and those of other data."""
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type="UTKFace",
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
    results += [
        EvalResult(
            task_type="image-classification",
            dataset_type=facts()["measured"].get(name, {}).get("hub", name),
            dataset_name=title_of(name) + ("" if figures.get("through_the_detector", True) else ", face chips"),
            metric_type=kind,
            metric_name=title,
            metric_value=figures[key]["value"],
        )
        for name, figures in (metrics.get("external") or {}).items()
        for key, kind, title in (
            ("gender_10plus", "accuracy", "Gender accuracy at 10 and older"),
            ("age_mae", "mae", "Age MAE (years)"),
            ("bin_distance", "age_bin_distance", "Distance to the labelled age bin (years)"),
        )
        if key in figures
    ]
    return results


def render_card(metrics: dict, settings: Settings, plots: Collection[str] = ()) -> str:
    """The text of MODEL_CARD.md, which shows the plots that there are."""
    groups, history = metrics["groups"], read_history()
    trained = trained_on(history)
    data = ModelCardData(
        language="en",
        library_name="transformers",
        thumbnail="https://huggingface.co/user/repo/resolve/main/plots/error_by_age.png",
        pipeline_tag="image-classification",
        license="other",
        license_name="utkface-non-commercial",
        license_link="LICENSE.md",
        datasets=[one["hub"] for one in trained.values() if "hub" in one],
        metrics=["mae", "accuracy", "roc_auc"],
        # Not "keras": for that tag the Hub prints keras.saving.load_model("hf://..."), which this repo does not serve.
        tags=["age-estimation", "gender-classification", "face", "resnet50", "tensorflow", "openvino", "onnx"],
        model_name="age-gender-resnet50",
        eval_results=results_of(metrics),
    )
    return str(
        ModelCard.from_template(
            data,
            template_path=str(TEMPLATE),
            metrics=metrics,
            decision=settings.decision,
            input=settings.input,
            detection=settings.detection,
            calibration=settings.calibration,
            heads=settings.heads,
            external_measures=EXTERNAL_MEASURES,
            version=settings.model_version,
            training=recipe_values(history[-1]["run"], ("soft_age_weight", "huber_weight", "bce_weight")),
            history=history,
            passes=sum(stage["passes"] for part in history for stage in part["stages"]),
            trained=trained,
            side_by_side=side_by_side(metrics, history),
            leakage=leakage(metrics),
            gaps=gaps(metrics),
            elsewhere=elsewhere(metrics),
            title_of=title_of,
            london_rows=london_rows(metrics),
            measured_facts=facts()["measured"],
            measures=MEASURES,
            show=show,
            plots=plots,
            peers=peers(metrics) if (BENCHMARKS / "peers.json").is_file() else "",
            children=children(metrics),
            worst={factor: extreme(groups[factor], max) for factor in ("age", "race", "gender")},
            gender_worst=extreme(groups["race × gender"], min, "gender_accuracy", "share"),
            gender_best=extreme(groups["race × gender"], max, "gender_accuracy", "share"),
            best={factor: extreme(groups[factor], min) for factor in ("age", "race", "gender")},
        )
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.release.card", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    args = parser.parse_args(argv)
    metrics = json.loads((args.model / "metrics.json").read_text(encoding="utf-8"))
    texts = {pathlib.Path("MODEL_CARD.md"): render_card(metrics, Settings.load(args.model), plots_in(args.model))}
    documents = map(pathlib.Path, ("README.md", "train/README.md", "benchmarks/README.md", "hf_model/LICENSE.md"))
    for readme in (*documents, *sorted(pathlib.Path("docs").glob("*.md"))):
        texts[readme] = render_figures(readme.read_text(encoding="utf-8"), metrics)
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if args.check:
        if stale:
            sys.exit(
                f"{', '.join(map(str, stale))} does not match what was measured: run `python -m train.release.card`."
            )
        return
    for path in stale:
        path.write_text(texts[path], encoding="utf-8")
        print(f"Wrote {path}")


if __name__ == "__main__":
    main()
