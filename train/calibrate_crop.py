"""Measures how MTCNN's box lies in a UTKFace chip, and writes the crop's constants to config.json.

    python -m train.calibrate_crop --data DIR [--chips 400] [--config hf_model/config.json]

Chips of the training split are pasted on larger pictures, found by the detector, and the square
around the box is fitted (medians) that gives the chip back.
"""

import argparse
import pathlib

import datasets
import numpy as np

from hf_model.faces import FaceDetector
from train.config import read_config, update_config
from train.data import load_chips
from train.scenes import make_scene


def fit_crop(boxes: np.ndarray, squares: np.ndarray) -> dict[str, float]:
    """The crop constants under which the squares around the boxes match the true ones best.

    Args:
        boxes: (N, 4) left, top, width, height of the detector.
        squares: (N, 3) left, top, side of the true chips.
    """
    left, top, width, height = boxes.T
    centre_x, centre_y = (squares[:, :2] + squares[:, 2:] / 2).T
    return {
        "center_x": round(float(np.median((centre_x - left) / width)), 3),
        "center_y": round(float(np.median((centre_y - top) / height)), 3),
        "scale": round(float(np.median(squares[:, 2] / np.maximum(width, height))), 3),
    }


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
    boxes, squares = [], []
    for row in datasets.utils.tqdm(random.permutation(len(chips))[: args.chips], desc="Detecting", unit=" chips"):
        scene = make_scene(chips.images[row], random)
        found = detector(scene.image)
        if found:
            boxes.append((found[0].left, found[0].top, found[0].width, found[0].height))
            squares.append((scene.left, scene.top, scene.side))
    boxes_array, squares_array = np.array(boxes), np.array(squares, float)
    crop = fit_crop(boxes_array, squares_array)
    longer = boxes_array[:, 2:].max(axis=1) * crop["scale"]
    centres = boxes_array[:, :2] + boxes_array[:, 2:] * [crop["center_x"], crop["center_y"]]
    error = np.abs(centres - squares_array[:, :2] - squares_array[:, 2:] / 2) / squares_array[:, 2:]
    print(f"{len(boxes)} of {args.chips} chips found; {crop}")
    print(
        f"median error of the side {np.median(np.abs(longer / squares_array[:, 2] - 1)):.3f}, of the centre {np.median(error, axis=0)}"
    )
    update_config(args.config, "crop", crop)


if __name__ == "__main__":
    main()
