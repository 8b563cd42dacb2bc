"""What Python makes of pictures, step by step, for the tests of the JavaScript."""

import json
import pathlib

import numpy as np
import PIL.Image

from hf_model import AgeGenderPredictor
from hf_model.faces import detector
from hf_model.network.mtcnn import cascade


def write_cases(
    out: pathlib.Path, pictures: dict[str, PIL.Image.Image], folder: pathlib.Path = pathlib.Path("hf_model")
) -> None:
    """What Python makes of RGB pictures by name, step by step, with the pictures as raw bytes, for the tests of the
    JavaScript."""
    predictor = AgeGenderPredictor.from_pretrained(folder, engine="onnx", precision="int8", threads=1)
    out.mkdir(parents=True, exist_ok=True)
    cases = []
    for name, picture in pictures.items():
        (out / f"{name}.rgb").write_bytes(np.asarray(picture).tobytes())
        seen = np.asarray(detector._shrunk(picture, predictor.detector.settings.working_size)[0])
        candidates = predictor.detector.load().detect_faces(seen)
        found = [(one, crop) for one, crop in predictor.crops(picture, faces="all")]
        answers = [one.to_dict(distribution=True) for one in predictor(picture, faces="all")]
        for place, (answer, (one, crop)) in enumerate(zip(answers, found, strict=True)):
            answer["crop_file"] = f"{name}_{place}.crop"
            (out / answer["crop_file"]).write_bytes(np.asarray(crop).tobytes())
            answer["landmarks"] = one.landmarks
            answer["crop_mean"] = np.asarray(crop).mean(axis=(0, 1)).tolist()
        cases.append(
            {
                "name": name,
                "width": picture.width,
                "height": picture.height,
                "shrunk": [seen.shape[1], seen.shape[0], seen.mean(axis=(0, 1)).tolist()],
                "pyramid": cascade.pyramid(min(seen.shape[:2]), detector.LARGEST_SAFE_FACE),
                "candidates": [one | {"keypoints": list(one["keypoints"].values())} for one in candidates],
                "faces": answers,
            }
        )
    (out / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
