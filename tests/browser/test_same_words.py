"""Both pages say the same of the same faces: the Space's cards in Python, the static page's in JavaScript."""

import importlib
import json
import sys

import pytest

from hf_model.settings import Settings

PARTS = "h2, .age, .range, .alert, .gender p, .unsure p, .bar, .ends span, .small"
READ = f"""
(holder) => [...holder.querySelectorAll("section")].map((card) => ({{
  label: card.getAttribute("aria-label"),
  isDashed: card.classList.contains("unlikely"),
  parts: [...card.querySelectorAll("{PARTS}")].map((part) => [
    part.className, part.textContent.replace(/\\s+/g, " ").trim(), part.getAttribute("aria-label"),
  ]),
}}))
"""
IN_JAVASCRIPT = """
async (faces) => {
  const { card } = await import("/js/draw.js");
  const constants = await (await fetch("/constants.json")).json();
  const { config, metrics, page: { words } } = constants;
  const least = config.quality.find(({ measure }) => measure === "verification_score").threshold;
  const holder = document.createElement("div");
  faces.forEach((prediction, place) => {
    const unlikely = prediction.quality.verification_score < least;
    holder.append(card(place + 1, { prediction, unlikely }, faces.length > 1, { words, config, metrics }));
  });
  return (READ)(holder);
}
""".replace("READ", READ)
IN_PYTHON = f"""
(html) => {{
  const holder = document.createElement("div");
  holder.innerHTML = html;
  return ({READ})(holder);
}}
"""


def face(age=33.4, low=26.0, high=41.0, gender="female", female=0.91, rotation=0, score=0.99, warnings=()) -> dict:
    """A prediction as both pages get it."""
    distribution = [1 / 117] * 117
    return {
        "age": age,
        "age_interval": [low, high],
        "gender": gender,
        "female_probability": female,
        "rotation": rotation,
        "box": {"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 70},
        "detection_score": 0.99,
        "age_distribution": distribution,
        "quality": {"verification_score": score, "face_size": 140.4, "faces": 1},
        "warnings": list(warnings),
    }


BLURRED = "The face is blurred. In tests, ages of such faces were off by 6.1 years instead of 4.4."
SMALL = (
    "The face is only 24 pixels wide. In tests, ages of such faces were off by 6.1 years instead of 4.4, and 90% "
    "of genders were right instead of 95%."
)
CASES = {
    "a clear face": [face()],
    "a man": [face(52.5, 40.0, 63.5, "male", 0.02)],
    "uncertain": [face(gender="uncertain", female=0.505)],
    "a baby": [face(1.2, 0.0, 3.0, "uncertain", 0.49)],
    "a child": [face(9.4, 6.0, 13.0, "male", 0.2)],
    "an old woman": [face(81.0, 60.0, 96.0)],
    "an unusually wide range": [face(low=5.0, high=90.0)],
    "a poor picture": [face(warnings=[SMALL, BLURRED])],
    "to the left": [face(rotation=90)],
    "upside down": [face(rotation=180)],
    "to the right": [face(rotation=270, warnings=[BLURRED])],
    "several, one perhaps none": [face(), face(7.5, 4.0, 12.0, "male", 0.3, warnings=[SMALL]), face(score=0.3)],
}


@pytest.fixture(scope="module")
def described(root):
    """What the Space says of faces, as HTML."""
    sys.path.insert(0, str(root / "space"))
    try:
        page = importlib.import_module("face_card")
    finally:
        sys.path.remove(str(root / "space"))
    settings = Settings.load(root / "hf_model")
    metrics = json.loads((root / "hf_model" / "metrics.json").read_text(encoding="utf-8"))
    return lambda faces: page.describe_faces(faces, [None] * len(faces), settings, metrics, len(faces))


@pytest.mark.parametrize("name", CASES)
def test_both_pages_say_the_same(browser, served, described, name):
    page = browser.new_page()
    page.goto(served)
    python = page.evaluate(IN_PYTHON, described(CASES[name]))
    javascript = page.evaluate(IN_JAVASCRIPT, CASES[name])
    page.close()
    assert len(python) == len(CASES[name])
    assert len(python[0]["parts"]) >= 7
    assert javascript == python
