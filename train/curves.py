"""The curves of a run, drawn from its log."""

import csv
import itertools
import pathlib


def plot_log(log: pathlib.Path, path: pathlib.Path) -> None:
    """The curves of a run: age error, gender accuracy and AUC by epoch, training and validation, stages marked.

    Args:
        log: ``log.csv`` of a run folder.
        path: the PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figure, panels = plt.subplots(1, 3, figsize=(13, 4))
    names = (("age_mae", "age error, years"), ("gender_accuracy", "gender accuracy"), ("gender_auc", "gender AUC"))
    epochs = range(1, len(rows) + 1)
    for axes, (name, title) in zip(panels, names, strict=True):
        for prefix, label in (("", "training"), ("val_", "validation")):
            axes.plot(epochs, [float(row[prefix + name]) for row in rows], marker="o", label=label)
        for number, (before, after) in enumerate(itertools.pairwise(rows), start=1):
            if before["stage"] != after["stage"]:
                axes.axvline(number + 0.5, color="grey", linewidth=1)
        axes.set(xlabel="epoch", title=title)
        axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
