"""Measures how MTCNN's landmarks lie in a UTKFace chip, and writes the crop's constants to config.json.

    python -m train.measure.calibrate_crop --data DIR [--chips 600] [--config hf_model/config.json]

Chips of the training split are pasted on larger pictures, found by the detector, and the square
is fitted that the landmarks must give so that the chip comes back: its side from the distances between
them, its centre from their places.
"""

import argparse
import pathlib

import datasets
import numpy as np

from hf_model.faces import DISTANCES, POINTS, Face, FaceDetector, chip_square, middle_points, squared_distances
from train.config import read_config, update_config
from train.data import load_chips
from train.measure.scenes import make_scene

SOMETHING_ELSE = 0.15  # of the side


def fit_crop(faces: list[Face], squares: np.ndarray) -> dict:
    """The crop constants under which the faces' squares match the true ones, see :func:`hf_model.faces.chip_square`.

    No distance gets a negative weight, so no face, however odd, can have a square of no size.

    Args:
        faces: N found faces.
        squares: (N, 3) left, top, side of the true chips, in pixels.
    """
    distances = np.array([list(squared_distances(face).values()) for face in faces])
    middles = np.array([list(middle_points(face).values()) for face in faces])  # (N, 3, 2)
    centres, sides = squares[:, :2] + squares[:, 2:] / 2, squares[:, 2]
    # Where the middle of the points is far from where it is in the median face, the detector found something else.
    places = (middles.mean(axis=1) - centres) / sides[:, None]
    kept = np.hypot(*(places - np.median(places, axis=0)).T) < SOMETHING_ELSE
    distances, middles, centres, sides = (values[kept] for values in (distances, middles, centres, sides))

    weights = positive_weights(distances / sides[:, None] ** 2, np.ones(len(sides)))
    side = np.sqrt(distances @ weights)
    correction = np.median(sides / side)
    weights, side = weights * correction**2, side * correction

    # In sides from the mouth, x below y: how far the eyes and the nose are, how far the centre is, and the offset.
    eyes, nose, mouth = middles.transpose(1, 0, 2)
    to_eyes, to_nose, to_centre = (((points - mouth) / side[:, None]).T.ravel() for points in (eyes, nose, centres))
    along_x = np.repeat([1.0, 0.0], len(sides))
    unknowns = np.column_stack([to_eyes, to_nose, along_x, 1 - along_x])
    (eyes_weight, nose_weight, _, _), *_ = np.linalg.lstsq(unknowns, to_centre, rcond=None)
    rest = to_centre - eyes_weight * to_eyes - nose_weight * to_nose
    offset_x, offset_y = np.median(rest.reshape(2, -1), axis=1)
    centre = (eyes_weight, nose_weight, 1 - eyes_weight - nose_weight)
    return {
        "side": {name: round(float(weight), 4) for name, weight in zip(DISTANCES, weights, strict=True)},
        "centre": {name: round(float(weight), 4) for name, weight in zip(POINTS, centre, strict=True)},
        "offset_x": round(float(offset_x), 4),
        "offset_y": round(float(offset_y), 4),
    }


def positive_weights(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares weights of columns (N, K) for a target (N,), without those that would be negative."""
    weights = np.zeros(columns.shape[1])
    kept = list(range(columns.shape[1]))
    while True:
        found = np.linalg.lstsq(columns[:, kept], target, rcond=None)[0]
        if found.min() >= 0 or len(kept) == 1:
            weights[kept] = np.maximum(found, 0)
            return weights
        kept.pop(int(found.argmin()))


def framing_error(faces: list[Face], squares: np.ndarray, crop: dict) -> dict[str, float]:
    """Median errors of the squares' centre and side, as fractions of the true side."""
    found = np.array([chip_square(face, crop) for face in faces], float)
    centre = np.abs(found[:, :2] + found[:, 2:] / 2 - squares[:, :2] - squares[:, 2:] / 2) / squares[:, 2:]
    side = np.abs(found[:, 2] / squares[:, 2] - 1)
    x, y = np.median(centre, axis=0)
    return {"centre_x": float(x), "centre_y": float(y), "side": float(np.median(side))}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.measure.calibrate_crop", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="UTKFace: its folder or archive")
    parser.add_argument("--chips", type=int, default=600, help="how many training chips to use (default: 600)")
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
