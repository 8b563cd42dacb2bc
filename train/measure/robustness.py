"""What changes of the picture do to the answers."""

import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageFilter

from hf_model.predictor import AgeGenderPredictor
from train.measure.answers import Answers, predict_chips, with_intervals


def _jpeg(image: PIL.Image.Image, quality: int) -> PIL.Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return PIL.Image.open(buffer).convert("RGB")


def _rotate(image: PIL.Image.Image, degrees: float) -> PIL.Image.Image:
    side = image.width
    padded = PIL.Image.fromarray(np.pad(np.asarray(image), ((side, side), (side, side), (0, 0)), mode="edge"))
    turned = padded.rotate(degrees, PIL.Image.Resampling.BILINEAR)
    return turned.crop((side, side, 2 * side, 2 * side))


def _covered(image: PIL.Image.Image) -> PIL.Image.Image:
    covered = image.copy()
    covered.paste((128, 128, 128), (0, round(image.height * 0.62), image.width, image.height))
    return covered


CHANGES: dict[str, Callable[[PIL.Image.Image], PIL.Image.Image]] = {
    "rotated 15° left": lambda image: _rotate(image, 15),
    "rotated 15° right": lambda image: _rotate(image, -15),
    "brightness × 0.6": lambda image: PIL.ImageEnhance.Brightness(image).enhance(0.6),
    "brightness × 1.4": lambda image: PIL.ImageEnhance.Brightness(image).enhance(1.4),
    "Gaussian blur, 2 px": lambda image: image.filter(PIL.ImageFilter.GaussianBlur(2)),
    "JPEG quality 30": lambda image: _jpeg(image, 30),
    "lower face covered": _covered,
    "64-pixel face": lambda image: image.resize((64, 64), PIL.Image.Resampling.BILINEAR),
}


def measure_robustness(predictor: AgeGenderPredictor, unchanged: Answers) -> dict[str, dict]:
    """The figures of the same chips as they are and after each change."""
    decision = predictor.config["decision"]
    rows = {"unchanged": with_intervals(unchanged, decision)}
    for name, change in CHANGES.items():
        rows[name] = with_intervals(predict_chips(predictor, unchanged.chips, change, name), decision)
    return rows
