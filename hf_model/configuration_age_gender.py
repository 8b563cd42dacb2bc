"""The configuration class that transformers' AutoConfig finds through ``config.json``."""

from transformers import PretrainedConfig


class AgeGenderConfig(PretrainedConfig):
    """Carries ``config.json`` as it is; its own sections stay plain dicts (see the predictor)."""

    model_type = "age_gender"
