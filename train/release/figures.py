"""Figures in the READMEs: what stands between ``<!-- figures: NAME -->`` and ``<!-- /figures -->`` is written here.

Each block reads what a command wrote: ``metrics.json``, ``train/shipped/``, ``train/measure/report/ablations.json``,
and through ``bench_figures`` ``benchmarks/``.
"""

import json
import re
from collections.abc import Callable

from train.history import read_history
from train.measure.report.ablate import RESULTS
from train.measure.report.compare import RESULTS as MODELS
from train.release.bench_figures import browser, bulk, engines, open_faces, page, peers, profile, saved
from train.release.dataset_facts import side_by_side, title_of, trained_on
from train.release.units import show

MARKERS = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- /figures -->)", re.DOTALL)
MEASURES = (
    ("age_mae", "age: mean absolute error, years", "years"),
    ("age_median_error", "age: median absolute error, years", "years"),
    ("age_bias", "age: mean signed error, years", "years"),
    ("age_cs5", "age: share within 5 years", "share"),
    ("age_interval_coverage", "age: coverage of the 80 % prediction interval", "share"),
    ("gender_accuracy", "gender: accuracy at 0.5", "share"),
    ("gender_auc", "gender: area under the ROC curve", "number"),
    ("gender_recall_female", "gender: recall of label female", "share"),
    ("gender_recall_male", "gender: recall of label male", "share"),
    ("gender_coverage", "gender: share of faces not called uncertain", "share"),
    ("gender_accuracy_decided", "gender: accuracy among those", "share"),
    ("gender_accuracy_uncertain_wrong", "gender: accuracy, uncertain counted as wrong", "share"),
    ("gender_called_wrong", "gender: predicted male or female, and wrong", "share"),
    ("gender_log_loss", "gender: log loss, nats", "number"),
    ("gender_ece", "gender: expected calibration error", "number"),
)
EXTERNAL_MEASURES = (
    ("age_mae", "age: mean error, years", "years"),
    ("age_bias", "age: mean signed error, years", "years"),
    ("age_cs5", "age: within 5 years", "share"),
    ("age_interval_coverage", "age: coverage of the 80 % prediction interval", "share"),
    ("bin_distance", "age: distance to the labelled bin, years", "years"),
    ("inside_bin", "age: inside the labelled bin", "share"),
    ("range_meets_bin", "age: 80 % prediction intervals that overlap the bin", "share"),
    ("gender", "gender: accuracy at 0.5", "share"),
    ("gender_10plus", "gender: the same at 10 and older", "share"),
    ("women_10plus", "gender: women of 10 and older", "share"),
    ("men_10plus", "gender: men of 10 and older", "share"),
    ("called_wrong", "gender: predicted male or female, and wrong", "share"),
    ("gender_ece", "gender: expected calibration error", "number"),
    ("most_central", "photos of several people: share answered for the most central face", "share"),
)
COMPARED = (
    ("age_mae", "age: mean error, years", "years"),
    ("age_cs5", "age: within 5 years", "share"),
    ("bin_distance", "age: years outside the bin", "years"),
    ("inside_bin", "age: in the bin", "share"),
    ("gender", "gender: accuracy", "share"),
    ("gender_10plus", "gender: accuracy at 10 and older", "share"),
    ("gender_10plus_gap", "the same: gap between the best and the worst race", "share"),
)


def _row(name: str, figure: dict, unit: str) -> str:
    value, low, high = (show(figure[key], unit) for key in ("value", "low", "high"))
    return f"| {name} | {value} | {low} to {high} |"


def overall(metrics: dict) -> str:
    """How well the model works, in one table."""
    rows = ["| measured on the test split | value | 95 % interval |", "|---|---|---|"]
    for key, name, unit in MEASURES:
        if key in ("age_mae", "age_cs5", "age_interval_coverage", "gender_accuracy", "gender_auc"):
            rows.append(_row(name, metrics["overall"][key], unit))
    for name, figures in metrics["groups"]["range"].items():
        rows.append(_row(f"ages {name}: age MAE, years", figures["age_mae"], "years"))
        rows.append(_row(f"ages {name}: gender accuracy", figures["gender_accuracy"], "share"))
    n, leaked = metrics["overall"]["age_mae"]["n"], metrics.get("leakage", {}).get("utkface", {}).get("leaked", 0)
    note = f" {leaked} of them may be other crops of a photo in the training set (see the card)." if leaked else ""
    return (
        "\n".join(rows) + f"\n\n{n} test faces of UTKFace. All known copies of a picture are in the same split.{note}\n"
    )


def headline(metrics: dict) -> str:
    """Every dataset in a line: its domain, its faces, the age, the gender."""
    rows = ["| dataset | | faces | mean error of the age | gender accuracy, 10 and older |", "|---|---|---|---|---|"]
    for row in side_by_side(metrics, read_history()):
        rows.append(f"| {row['title']} | {row['domain']} | {row['faces']} | {row['age']} | {row['gender']} |")
    return "\n".join(rows) + "\n"


def trained(metrics: dict) -> str:
    """The sets that the weights were trained on, their terms and thanks."""
    rows = []
    for one in trained_on(read_history()).values():
        told = f", {one['terms']}" if "terms" in one else ""
        where = f" ({one['url']})" if "url" in one else ""
        rows.append(f"- **{one['title']}**{told}{where}. {one.get('citation', '')}".rstrip())
    return "\n".join(rows) + "\n"


def models(metrics: dict) -> str:
    """The shipped weights beside earlier ones, on every set."""
    told = json.loads(MODELS.read_text(encoding="utf-8"))
    names = list(told["weights_sha256"])
    head = ["dataset", "measure", *names, *(f"{names[-1]} − {name}" for name in names[:-1])]
    rows = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for set_, section in told["sets"].items():
        for key, title, unit in COMPARED:
            if key not in section["models"][names[-1]]:
                continue
            cells = [show(section["models"][name][key], unit) for name in names]
            for name in names[:-1]:
                found = section["gained_on"][name].get(key)
                ends = found and [
                    100 * found[end] if unit == "share" else found[end] for end in ("value", "low", "high")
                ]
                cells.append("{:+.2f} ({:+.2f} to {:+.2f})".format(*ends) if ends else "–")
            rows.append(f"| {title_of(set_)} | {title} | {' | '.join(cells)} |")
    return (
        "\n".join(rows)
        + "\n\nDifferences are paired, with 95 % intervals. Differences of shares are in percentage points.\n"
    )


def course(metrics: dict) -> str:
    """The stages of the runs that made the shipped weights, and the validation figures after each."""
    rows = [
        "| stage | input, px | epochs | validation MAE, years | gender accuracy | AUC |",
        "|---|---|---|---|---|---|",
    ]
    for stage in (stage for run in read_history() for stage in run["stages"]):
        units = {"age_mae": "years", "gender_accuracy": "share", "gender_auc": "number"}
        mae, accuracy, auc = ("–" if stage[key] is None else show(stage[key], unit) for key, unit in units.items())
        rows.append(f"| {stage['name']} | {stage['size']} | {stage['passes']:.3g} | {mae} | {accuracy} | {auc} |")
    return "\n".join(rows) + "\n"


def ablations(metrics: dict) -> str:
    """What each choice of the recipe is worth in a short training."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = [
        "| short training | validation MAE, years | gender accuracy | AUC | training took |",
        "|---|---|---|---|---|",
    ]
    for name, result in results["variants"].items():
        mae, accuracy = show(result["age_mae"], "years"), show(result["gender_accuracy"], "share")
        auc = show(result["gender_auc"], "number")
        rows.append(f"| {name} | {mae} | {accuracy} | {auc} | {result['seconds'] / 60:.1f} min |")
    first = next(iter(results["variants"].values()))
    n = results["validation_chips"]
    error = 1.96 * (first["gender_accuracy"] * (1 - first["gender_accuracy"]) / n) ** 0.5
    return "\n".join(rows) + (
        f"\n\n{results['chips']:,} training chips at {first['size']} px, {n:,} validation chips, one seed, Keras on "
        f"{results['backend']}. The 95 % interval of an accuracy on so many faces is ± {show(error, 'share')}.\n"
    )


def relu(metrics: dict) -> str:
    """What the ReLU on the age is there for, and what it costs: the youngest."""
    name, figures = next(iter(metrics["groups"]["age"].items()))
    return (
        f"Measured: at {name} years the mean error is {show(figures['age_mae']['value'], 'years')} years "
        f"(signed {figures['age_bias']['value']:+.2f}); for all ages it is "
        f"{show(metrics['overall']['age_mae']['value'], 'years')}.\n"
    )


def crop(metrics: dict) -> str:
    """How far the detector's way and the chip's own agree."""
    found = metrics["end_to_end"]
    agreement = found["agreement"]
    return (
        f"Measured on {found['overall']['age_mae']['n']} test chips pasted on larger pictures: MAE "
        f"{show(found['overall']['age_mae']['value'], 'years')} years through the detector, "
        f"{show(found['chips']['age_mae']['value'], 'years')} years on the chips themselves. The two predicted ages "
        f"differ by "
        f"{show(agreement['mean_age_difference'], 'years')} years on average; the genders agree for "
        f"{show(agreement['same_side_of_half'], 'share')}.\n"
    )


def band(metrics: dict) -> str:
    """What the uncertain band does."""
    figures = metrics["overall"]
    return (
        f"Measured: {show(1 - figures['gender_coverage']['value'], 'share')} of the test faces are between them. The "
        f"accuracy is "
        f"{show(figures['gender_accuracy']['value'], 'share')} with all faces decided at 0.5 and "
        f"{show(figures['gender_accuracy_decided']['value'], 'share')} without the uncertain ones. The calibration "
        f"error is "
        f"{show(figures['gender_ece']['value'], 'number')}, so a probability near 0.5 means that both labels are "
        f"about equally likely.\n"
    )


def interval(metrics: dict) -> str:
    """Coverage of the age's interval over the predicted ages."""
    levels = {name: figures["age_interval_coverage"]["value"] for name, figures in metrics["by_predicted_age"].items()}
    worst, best = min(levels, key=levels.__getitem__), max(levels, key=levels.__getitem__)
    return (
        f"Measured: {show(metrics['overall']['age_interval_coverage']['value'], 'share')} of the test labels are "
        f"inside. By predicted age the coverage is lowest at "
        f"{worst} ({show(levels[worst], 'share')}) and highest at {best} ({show(levels[best], 'share')}).\n"
    )


BLOCKS: dict[str, Callable[[dict], str]] = {
    block.__name__: block
    for block in (
        headline,
        overall,
        trained,
        models,
        course,
        ablations,
        saved,
        engines,
        profile,
        page,
        browser,
        peers,
        open_faces,
        bulk,
        relu,
        crop,
        band,
        interval,
    )
}


def render_figures(text: str, metrics: dict) -> str:
    """A README with the blocks between its markers replaced.

    Raises:
        KeyError: a marker names no block.
    """
    return MARKERS.sub(lambda match: match[1] + BLOCKS[match[2]](metrics) + match[3], text)
