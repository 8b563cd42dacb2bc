"""Forty pictures made from the astronaut: sizes, turns, light, several faces, small ones, none."""

import numpy as np
import PIL.Image

from hf_model.pictures import changes

HEAD = (150, 0, 300, 150)


def forty(astronaut: PIL.Image.Image) -> dict[str, PIL.Image.Image]:
    """The pictures by name, RGB."""
    made = {
        f"side_{side}": astronaut.resize((side, side), PIL.Image.Resampling.LANCZOS)
        for side in (128, 200, 320, 512, 700, 1000, 1600, 2400)
    }
    made |= {f"wide_{width}": astronaut.resize((width, 400)) for width in (330, 480)}
    made |= {
        f"turned_{turn}": astronaut.transpose(getattr(PIL.Image.Transpose, f"ROTATE_{turn}")) for turn in (90, 180, 270)
    }
    made |= {
        f"tilted_{degrees}": astronaut.rotate(degrees, PIL.Image.Resampling.BICUBIC)
        for degrees in (-40, -20, -8, 8, 20, 40)
    }
    for name, strength in (
        ("brightness", 0.4),
        ("brightness", 1.4),
        ("contrast", 0.4),
        ("saturation", 0),
        ("blur", 2),
        ("jpeg", 10),
        ("coloured_light", 1),
        ("mirror", 1),
        ("dim", 0.3),
        ("back_light", 0.6),
    ):
        made[f"{name}_{strength}".replace(".", "")] = changes.CHANGES[name](astronaut, strength)
    made["pair"] = beside(astronaut, changes.mirror(astronaut))
    made["near_and_far"] = beside(astronaut, astronaut.resize((200, 200)))
    head = astronaut.crop(HEAD)
    for side, columns in ((150, 3), (90, 5), (60, 8)):
        crowd = PIL.Image.new("RGB", (side * columns + 40, side * 2 + 40), "gray")
        for place in range(2 * columns):
            crowd.paste(head.resize((side, side)), (20 + side * (place % columns), 20 + side * (place // columns)))
        made[f"crowd_{side}"] = crowd
    far = PIL.Image.new("RGB", (1500, 1100), (120, 130, 140))
    far.paste(astronaut.resize((180, 180)), (900, 500))
    made["far"] = far
    made["cut_off"] = astronaut.crop((200, 0, 420, 180))
    made["dark"] = changes.brightness(astronaut, 0.12)
    made["plain"] = PIL.Image.new("RGB", (300, 220), "gray")
    made["noise"] = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8))
    made["chip"] = astronaut.crop((175, 60, 270, 180)).resize((200, 250))
    assert len(made) == 40, len(made)
    return {name: picture.convert("RGB") for name, picture in made.items()}


def beside(left: PIL.Image.Image, right: PIL.Image.Image) -> PIL.Image.Image:
    picture = PIL.Image.new("RGB", (left.width + right.width, max(left.height, right.height)), (60, 70, 80))
    picture.paste(left, (0, 0))
    picture.paste(right, (left.width, 0))
    return picture
