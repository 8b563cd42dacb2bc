"""Chips pasted on larger pictures: photos with one face whose true framing is known."""

import dataclasses

import numpy as np
import PIL.Image
import PIL.ImageFilter


@dataclasses.dataclass(frozen=True)
class Scene:
    """A made photo, and the square (left, top, side) in which it holds the chip."""

    image: PIL.Image.Image
    left: int
    top: int
    side: int


def make_scene(chip: np.ndarray, random: np.random.Generator, scales: tuple[float, float] = (0.5, 4.0)) -> Scene:
    """Pastes a chip at a random scale and place on a larger picture.

    The surroundings continue the chip's border, blurred, so that a detector sees a head with
    something around it and not a cut-off one.

    Args:
        chip: (S, S, 3) uint8 RGB.
        random: source of scale and place.
        scales: range of the pasted side as a multiple of S, drawn log-uniformly.
    """
    side = round(chip.shape[0] * float(np.exp(random.uniform(*np.log(scales)))))
    face = PIL.Image.fromarray(chip).resize((side, side), PIL.Image.Resampling.BICUBIC)
    before, after = (random.uniform(0.25, 0.9, (2, 2)) * side).astype(int)
    padding = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    surroundings = PIL.Image.fromarray(np.pad(np.asarray(face), padding, mode="edge"))
    image = surroundings.filter(PIL.ImageFilter.GaussianBlur(side / 12))
    image.paste(face, (int(before[0]), int(before[1])))
    return Scene(image, int(before[0]), int(before[1]), side)
