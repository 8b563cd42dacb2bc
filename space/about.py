"""The tab that says what the model is worth, for whom it is worst, and whose work it rests on."""

import re

import gradio as gr
from charts import bars
from demo import Demo

WHAT = """## What this is

A neural network (ResNet50) was trained on faces with labelled ages and genders. It estimates both for your photo. It is made for
teaching. Do not use it to decide anything about anyone: no age checks, no hiring, no policing, no identification.

Photos are deleted after a few minutes. Nothing is logged, there are no analytics, and no other server is contacted.
"""
# Sections of the model card that are shown, in their order.
SECTIONS = ("Limitations", "Bias", "Out-of-scope use", "Training data", "Licence", "Citation")
FACTORS = {"age": "By labelled age", "race": "By labelled race", "gender": "By labelled gender"}


def card_section(card: str, title: str) -> str:
    """The text under ``## title`` of a model card in Markdown, "" where there is no such section."""
    match = re.search(rf"^## {re.escape(title)}\s*\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""


def worst_for(metrics: dict | None) -> str:
    """For whom it is worst: the errors of every group as bars, "" without metrics."""
    if not metrics:
        return ""
    tables = []
    for factor, title in FACTORS.items():
        rows = []
        for level, figures in metrics["groups"][factor].items():
            error, right = figures["age_mae"], figures["gender_accuracy"]
            wrong = 1 - right["value"]
            name = f"{level.replace('-', '–')} ({error['n']})"
            rows.append((name, error["value"], f"{error['value']:.1f}", wrong, f"{wrong:.0%}"))
        tables.append(bars(title, rows))
    told = "Errors on test faces, by label. The number of faces is in brackets, and the worst group is marked."
    return f'<div class="card"><h2>Who it is worst for</h2><p class="small">{told}</p>{"".join(tables)}</div>'


def build_about(demo: Demo) -> None:
    """The tab's components."""
    gr.Markdown(WHAT)
    gr.HTML(worst_for(demo.metrics), elem_id="worst")
    for title in SECTIONS:
        text = card_section(demo.card, title)
        if text:
            gr.Markdown(f"## {title}\n\n{text}")
