"""Tunes the model on your own faces with transformers' Trainer.

    python -m train.finetune --model user/age-gender --data FOLDER --out tuned [--push user/mine]

The data are a folder with ``metadata.csv`` (``file_name,age,gender``) or a dataset of the Hub with the columns
``image``, ``age`` (years) and ``gender`` (0 male, 1 female; or words). Either label may be missing, of all faces or of
some.
"""

import argparse
import pathlib

import datasets
import evaluate
import numpy as np

try:
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageClassification, Trainer, TrainingArguments
except ImportError:
    torch = None

from train.augment import augment
from train.recipe import load_recipe

METRICS = pathlib.Path(__file__).with_name("measure") / "metrics"
GENDERS = {"male": 0, "female": 1, 0: 0, 1: 1}


def labelled_chips(split: datasets.Dataset, predictor, are_chips: bool, trains: bool) -> list[dict]:
    """The faces of a split: ``chip`` (200, 200, 3) uint8, ``age`` years or NaN, ``gender`` 0, 1 or -1, ``trains``."""
    rows = []
    for row in split.cast_column("image", datasets.Image(mode="RGB")):
        found = predictor.crops(row["image"], faces="none" if are_chips else "largest")
        age, gender = row.get("age"), row.get("gender")
        label = {"age": np.nan if age is None else float(age), "gender": GENDERS.get(gender, -1), "trains": trains}
        rows += [{"chip": np.asarray(chip.resize((200, 200), 2))} | label for _, chip in found[:1]]
    print(f"{len(rows)} faces in {len(split)} pictures")
    return rows


class Batches:
    """Puts faces together for the model; those that train are changed as those of the published weights were."""

    def __init__(self, processor):
        self.processor, self.ranges = processor, load_recipe("best").augmentation
        self.random = np.random.default_rng(0)

    def __call__(self, rows: list[dict]) -> dict[str, "torch.Tensor"]:
        others = [*rows[1:], rows[0]]
        pairs = [
            (row["chip"], other["chip"] if row["trains"] else None) for row, other in zip(rows, others, strict=True)
        ]
        chips = [chip if other is None else augment(chip, self.ranges, self.random, other) for chip, other in pairs]
        labels = {name: torch.tensor([row[name] for row in rows]) for name in ("age", "gender")}
        return dict(self.processor(chips, return_tensors="pt")) | labels


def figures(prediction) -> dict[str, float]:
    """Errors of the age and figures of the gender, of the faces whose label is known."""
    (logits, _, age), (wanted_age, wanted_gender) = prediction.predictions, prediction.label_ids
    female = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    computed: dict[str, float] = {}
    for metric, values, labels, known in (
        ("age_error", age, wanted_age, ~np.isnan(wanted_age)),
        ("gender_report", female, wanted_gender, wanted_gender >= 0),
    ):
        if known.any():
            loaded = evaluate.load(str(METRICS / metric))
            computed |= loaded.compute(predictions=values[known], references=labels[known])
    return computed


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m train.finetune", description=(__doc__ or "").partition("\n\n")[0])
    add = parser.add_argument
    add("--model", required=True, help="folder or repo of the model to begin from")
    add("--data", required=True, help="folder with metadata.csv, or a dataset of the Hub")
    add("--chips", action="store_true", help="the pictures are face chips already: no detector")
    add("--epochs", type=float, default=5)
    add("--batch-size", type=int, default=32)
    add("--learning-rate", type=float, default=1e-5, help="default: the second stage's of the recipe")
    add("--out", required=True, help="folder of the tuned model")
    add("--push", metavar="REPO", help="repo of the Hub that the tuned model is pushed to")
    args = parser.parse_args(argv)
    if torch is None:
        parser.error("it needs PyTorch and transformers: pip install -e '.[train,transformers]'")
    data = datasets.load_dataset(args.data)
    held_out = next((name for name in ("validation", "test") if name in data), None)
    parts = data if held_out else data["train"].train_test_split(0.1, seed=0)
    model = AutoModelForImageClassification.from_pretrained(args.model, trust_remote_code=True)
    model.network.keeps_statistics = True  # as in the recipe's first two stages
    processor = AutoImageProcessor.from_pretrained(args.model, trust_remote_code=True)
    names = ("train", held_out or "test")
    train, held = (labelled_chips(parts[name], model.predictor, args.chips, name == "train") for name in names)
    how_long = {"num_train_epochs": args.epochs, "learning_rate": args.learning_rate, "logging_steps": 1}
    batches = {"per_device_train_batch_size": args.batch_size, "remove_unused_columns": False}
    judged = {"eval_strategy": "epoch", "save_strategy": "no", "report_to": "none", "label_names": ["age", "gender"]}
    options = TrainingArguments(f"{args.out}-checkpoints", **how_long, **batches, **judged)
    trainer = Trainer(model, options, Batches(processor), train, held, compute_metrics=figures)
    print("before:", trainer.evaluate())
    trainer.train()
    print("after:", trainer.evaluate())
    model.save_pretrained(args.out)
    processor.save_pretrained(args.out)
    print(f"Wrote {args.out}. Calibrate it: python -m train.measure calibrate --model {args.out} --data UTKFACE")
    if args.push:
        print(model.push_to_hub(args.push))


if __name__ == "__main__":
    main()
