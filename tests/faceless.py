"""200 pictures without a face: parts of photos in scikit-image, noise, textures and text."""

import functools

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

PHOTOS = (
    "brick",
    "cat",
    "cell",
    "clock",
    "coffee",
    "coins",
    "colorwheel",
    "grass",
    "gravel",
    "horse",
    "hubble_deep_field",
    "immunohistochemistry",
    "logo",
    "moon",
    "page",
    "retina",
    "rocket",
    "text",
)
COUNT = 200


@functools.cache
def faceless_pictures() -> tuple[PIL.Image.Image, ...]:
    """The same 200 RGB pictures in every run, 200 to 480 pixels wide."""
    import skimage.data

    random = np.random.default_rng(0)
    pictures = []
    for name in PHOTOS:
        pixels = getattr(skimage.data, name)()
        if pixels.dtype == bool:
            pixels = pixels.astype(np.uint8) * 255
        photo = PIL.Image.fromarray(pixels).convert("RGB")
        photo.thumbnail((480, 480))
        pictures += [photo, photo.transpose(PIL.Image.Transpose.FLIP_TOP_BOTTOM)]
        for _ in range(3):  # a part, enlarged
            side = int(min(photo.size) * random.uniform(0.3, 0.8))
            left, top = (int(random.uniform(0, length - side)) for length in photo.size)
            pictures.append(photo.crop((left, top, left + side, top + side)).resize((320, 320)))
    while len(pictures) < COUNT:
        kind = len(pictures) % 4
        if kind < 3:  # noise, from single pixels to large blobs, coloured or grey
            cells = int(np.exp(random.uniform(np.log(4), np.log(400))))
            noise = random.integers(0, 256, (cells, cells, 3 if kind else 1), dtype=np.uint8)
            noise = np.broadcast_to(noise, (cells, cells, 3))
            pictures.append(PIL.Image.fromarray(np.ascontiguousarray(noise)).resize((360, 280), kind))
        else:
            page = PIL.Image.new("RGB", (360, 280), tuple(random.integers(160, 256, 3).tolist()))
            letters = random.integers(33, 1000, (12, 40))
            text = "\n".join("".join(map(chr, line)) for line in letters)
            font = PIL.ImageFont.load_default(size=random.uniform(10, 40))
            PIL.ImageDraw.Draw(page).multiline_text(
                (5, 5), text, fill=tuple(random.integers(0, 120, 3).tolist()), font=font
            )
            pictures.append(page)
    return tuple(pictures)
