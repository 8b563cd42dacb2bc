"""What tests make their data with."""

import io

import numpy as np
import PIL.Image


def jpeg_bytes(seed: int, side: int = 64) -> bytes:
    """A smooth random picture as JPEG; another seed is another picture."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(small).resize((side, side), PIL.Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
