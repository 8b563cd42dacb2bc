"""Chips pasted on larger pictures: photos with one face whose true framing is known."""

import dataclasses

import numpy as np
import PIL.Image
import PIL.ImageFilter

from hf_model.pictures.alignment import Square
from hf_model.pictures.changes import tilt


@dataclasses.dataclass(frozen=True)
class Scene:
    """A made photo, and the square in which it holds the chip."""

    image: PIL.Image.Image
    square: Square


def make_scene(
    chip: np.ndarray, random: np.random.Generator, scales: tuple[float, float] = (0.5, 4.0), most_tilt: float = 0.0
) -> Scene:
    """Pastes a chip at a random scale and place on a larger picture.

    The surroundings continue the chip's border, blurred, so that a detector sees a head with
    something around it and not a cut-off one.

    Args:
        chip: (S, S, 3) uint8 RGB.
        random: source of scale, place and tilt.
        scales: range of the pasted side as a multiple of S, drawn log-uniformly.
        most_tilt: the picture is turned by up to so many degrees about its middle.
    """
    side = round(chip.shape[0] * float(np.exp(random.uniform(*np.log(scales)))))
    face = PIL.Image.fromarray(chip).resize((side, side), PIL.Image.Resampling.BICUBIC)
    before, after = (random.uniform(0.25, 0.9, (2, 2)) * side).astype(int)
    padding = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    surroundings = PIL.Image.fromarray(np.pad(np.asarray(face), padding, mode="edge"))
    image = surroundings.filter(PIL.ImageFilter.GaussianBlur(side / 12))
    image.paste(face, (int(before[0]), int(before[1])))
    square = Square(before[0] + side / 2, before[1] + side / 2, side)
    if not most_tilt:
        return Scene(image, square)
    degrees = float(random.uniform(-most_tilt, most_tilt))  # counter-clockwise
    middle = np.array([image.width, image.height]) / 2
    x, y = middle + Square(0, 0, 1, -degrees).place(np.array([(square.x, square.y)]) - middle + 0.5)[0]
    return Scene(tilt(image, degrees), Square(float(x), float(y), side, -degrees))
