"""The published folder in transformers.js: image classification under Node.js gives the predictor's genders."""

import json
import os
import shutil
import subprocess

import PIL.Image
import pytest

from hf_model import AgeGenderPredictor
from train.release.contents import graphs

VERSION = "@huggingface/transformers@4.3.2"
FACES = 50
# As the model card prints it, for files on this disk.
CLASSIFY = """
import { AutoConfig, AutoModel, AutoProcessor, env, pipeline, RawImage } from "@huggingface/transformers";
import { readdirSync } from "node:fs";

env.allowRemoteModels = false;
env.localModelPath = "./";
const id = "user/age-gender";
const config = await AutoConfig.from_pretrained(id);
config.model_type = "resnet"; // a type that transformers.js knows; the graph stays this model's
const classify = await pipeline("image-classification", id, { dtype: "fp32", config });
const told = {};
for (const name of readdirSync("faces").sort()) told[name] = await classify(`faces/${name}`);
const [model, processor] = [await AutoModel.from_pretrained(id, { dtype: "int8" }), await AutoProcessor.from_pretrained(id)];
const { age } = await model(await processor(await RawImage.read("faces/00.png")));
console.log(JSON.stringify({ told, age: age.data[0] }));
"""


@pytest.fixture(scope="module")
def folder(root, london, tmp_path_factory):
    """The release's files as on a disk, the library, and faces as the network is shown them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    here = tmp_path_factory.mktemp("js")
    model = here / "user" / "age-gender"
    shutil.copytree(root / "hf_model", model, ignore=shutil.ignore_patterns("*.py", "*.safetensors", "plots"))
    for name, content in graphs(root / "hf_model").items():
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    predictor = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")
    (here / "faces").mkdir()
    for number, row in enumerate(london[:FACES]):
        ((_, crop),) = predictor.crops(row["path"])
        crop.save(here / "faces" / f"{number:02d}.png")
    # Without scripts: onnxruntime-node's looks for a GPU's libraries on another server.
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", VERSION]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return here


@pytest.mark.timeout(600)
def test_image_classification_is_the_predictors(root, folder):
    (folder / "classify.mjs").write_text(CLASSIFY, encoding="utf-8")
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        ["node", "classify.mjs"], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    predictor = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx", precision="float32")
    crops = [PIL.Image.open(folder / "faces" / name) for name in sorted(answers["told"])]
    assert len(crops) == FACES
    for (face,), classes in zip(predictor.raw(crops, faces="none"), answers["told"].values(), strict=True):
        scores = {one["label"]: one["score"] for one in classes}
        assert scores["female"] == pytest.approx(face.female_probability, abs=0.01)
        assert classes[0]["label"] == ("female" if face.female_probability >= 0.5 else "male")
    quantized = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx", precision="int8")
    assert answers["age"] == pytest.approx(quantized.raw(crops[0], faces="none")[0].age, abs=0.5)
