"""What a gated repo of the weights asks of those who want its files."""

import huggingface_hub

# What a gated repo asks, in the front matter's own words (Hub documentation, "Gated models").
TERMS = {
    "extra_gated_heading": "The weights are for research and teaching only",
    "extra_gated_prompt": (
        "They were trained on UTKFace, which is for non-commercial research only (LICENSE.md). Use them on photos of "
        "people who agree to it, and never to decide anything about anyone: not for age checks, hiring, policing or "
        "identification."
    ),
    "extra_gated_fields": {
        "What I use it for": "text",
        "I use the weights for non-commercial research or teaching only": "checkbox",
        "I have read the card's bias and limitations": "checkbox",
    },
    "extra_gated_button_content": "Accept the terms",
}


def with_terms(card: str) -> str:
    """A model card whose front matter states the weights' terms to those who ask for the files of a gated repo."""
    made = huggingface_hub.ModelCard(card)
    for name, value in TERMS.items():
        made.data[name] = value
    return str(made)
