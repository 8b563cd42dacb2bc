"""Measures how MTCNN's landmarks lie in a UTKFace chip, and writes the crop's constants to config.json.

    python -m train.calibrate_crop --data DIR [--chips 400] [--config hf_model/config.json]

Chips of the training split are pasted on larger pictures, found by the detector, and the square
around the landmarks is fitted (medians) that gives the chip back.
"""

import argparse
import pathlib

import datasets
import numpy as np

from hf_model.faces import Face, FaceDetector, chip_square, landmark_centre, landmark_spread
from train.config import read_config, update_config
from train.data import load_chips
from train.scenes import make_scene


def fit_crop(faces: list[Face], squares: np.ndarray) -> dict[str, float]:
    """The crop constants (medians) under which the faces' squares match the true ones.

    Args:
        faces: N found faces.
        squares: (N, 3) left, top, side of the true chips, in pixels.
    """
    centres = squares[:, :2] + squares[:, 2:] / 2
    spread = np.array([landmark_spread(face) for face in faces])
    offsets = (centres - [landmark_centre(face) for face in faces]) / squares[:, 2:]
    offset_x, offset_y = np.median(offsets, axis=0)
    scale = np.median(squares[:, 2] / spread)
    return {
        "scale": round(float(scale), 3),
        "offset_x": round(float(offset_x), 3),
        "offset_y": round(float(offset_y), 3),
    }


def framing_error(faces: list[Face], squares: np.ndarray, crop: dict) -> dict[str, float]:
    """Median errors of the squares' centre and side, as fractions of the true side."""
    found = np.array([chip_square(face, crop) for face in faces], float)
    centre = np.abs(found[:, :2] + found[:, 2:] / 2 - squares[:, :2] - squares[:, 2:] / 2) / squares[:, 2:]
    side = np.abs(found[:, 2] / squares[:, 2] - 1)
    x, y = np.median(centre, axis=0)
    return {"centre_x": float(x), "centre_y": float(y), "side": float(np.median(side))}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.calibrate_crop", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--chips", type=int, default=400, help="how many training chips to use (default: 400)")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("cache"))
    parser.add_argument("--config", type=pathlib.Path, default=pathlib.Path("hf_model/config.json"))
    args = parser.parse_args(argv)
    detector = FaceDetector(**read_config(args.config)["detection"])
    chips = load_chips(args.data, args.cache)[0]["train"]
    random = np.random.default_rng(0)
    faces, squares = [], []
    for row in datasets.utils.tqdm(random.permutation(len(chips))[: args.chips], desc="Detecting", unit=" chips"):
        scene = make_scene(chips.images[row], random)
        found = detector(scene.image)
        if found:
            faces.append(found[0])
            squares.append((scene.left, scene.top, scene.side))
    # Fitted on one half, and the error told on the other.
    half = len(faces) // 2
    truth = np.array(squares, float)
    crop = fit_crop(faces[:half], truth[:half])
    print(f"{len(faces)} of {args.chips} chips found; {crop}")
    errors = framing_error(faces[half:], truth[half:], crop)
    print(
        "median error, as a fraction of the side: " + ", ".join(f"{key} {value:.3f}" for key, value in errors.items())
    )
    update_config(args.config, "crop", crop)


if __name__ == "__main__":
    main()
