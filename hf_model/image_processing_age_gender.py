"""The image processor of transformers: face chips in, ``pixel_values`` out, as training saw them.

It imports nothing of the package; a test holds it equal to ``pictures/resize.py`` and ``network/preprocessing.py``.
"""

from collections.abc import Iterable

import numpy as np
import PIL.Image
import PIL.ImageOps
from transformers import BatchFeature
from transformers.image_processing_base import ImageProcessingMixin

KNOWN_TYPE = "ViTImageProcessor"  # resizes, and takes means off


class AgeGenderImageProcessor(ImageProcessingMixin):
    """Resizes chips with Pillow's antialiased filter and takes the means off; the model itself puts blue first.

    A chip is a square picture of one face, cut and turned as UTKFace's are: ``model.predictor.crops(photo)`` cuts them
    out of photos.

    Args:
        size: ``{"height", "width"}`` in pixels.
        resample: Pillow's number of the filter.
        image_mean, image_std: of red, green and blue, 0 to 255.
    """

    model_input_names = ("pixel_values",)

    def __init__(self, size=None, resample=2, image_mean=(0, 0, 0), image_std=(1, 1, 1), **options):
        super().__init__(**options)
        self.size, self.resample = size or {"height": 224, "width": 224}, resample
        self.image_mean, self.image_std = list(image_mean), list(image_std)
        self.do_resize, self.do_rescale, self.do_normalize = True, False, True

    def __call__(self, images, return_tensors=None, **options):
        """See :meth:`preprocess`."""
        return self.preprocess(images, return_tensors=return_tensors, **options)

    def preprocess(self, images, return_tensors=None, **options) -> BatchFeature:
        """``pixel_values`` (N, 3, S, S) float32.

        Args:
            images: a PIL image, a uint8 array (H, W, 3) RGB, or several of these.
            return_tensors: ``"pt"``, ``"np"`` or None, a list of arrays.

        Raises:
            TypeError: an option that is unknown.
            ValueError: something else than a picture.
        """
        if options:
            raise TypeError(f"Unknown options {sorted(options)}; there are images and return_tensors.")
        single = isinstance(images, PIL.Image.Image) or (isinstance(images, np.ndarray) and images.ndim == 3)
        chips = [images] if single or not isinstance(images, Iterable) else list(images)
        return BatchFeature({"pixel_values": [self._pixels(chip) for chip in chips]}, tensor_type=return_tensors)

    def to_dict(self) -> dict:
        """As it is saved. transformers.js, which knows no classes but its own, takes the one that does the same."""
        return super().to_dict() | {"image_processor_type": KNOWN_TYPE}

    def _pixels(self, chip) -> np.ndarray:
        if isinstance(chip, np.ndarray) and chip.dtype == np.uint8 and chip.ndim == 3:
            chip = PIL.Image.fromarray(chip)
        if not isinstance(chip, PIL.Image.Image):
            raise ValueError(f"{type(chip).__name__}: a PIL image or a uint8 array (height, width, 3) is wanted.")
        chip, size = PIL.ImageOps.exif_transpose(chip).convert("RGB"), (self.size["width"], self.size["height"])
        if chip.size != size:
            chip = chip.resize(size, PIL.Image.Resampling(self.resample))
        centred = np.asarray(chip).astype(np.float32) - np.array(self.image_mean, np.float32)
        return (centred / np.array(self.image_std, np.float32)).transpose(2, 0, 1)
