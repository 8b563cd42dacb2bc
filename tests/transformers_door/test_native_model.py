"""A model as transformers has them: loads, trains, saves, casts, compiles; and it is the network that is published."""

import dataclasses
import importlib.util
import shutil

import pytest

from tests.hub.server import HubServer
from tests.support import hub_environment, json_offline, last_json, published_files, run_script

pytest.importorskip("torch", reason="transformers' models need PyTorch: make test-transformers")

NAME = "model.v1.5"
BEGIN = """
import json, sys
import numpy as np, PIL.Image, torch
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoModelForImageClassification, pipeline
name, told = "model.v1.5", {}
random = np.random.default_rng(0)
coarse = [PIL.Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(7)]
chips = [one.resize((150 + 10 * n, 150 + 10 * n), PIL.Image.Resampling.BICUBIC) for n, one in enumerate(coarse)]
chips.append(PIL.Image.open("astronaut.png").convert("RGB").crop((150, 40, 290, 180)))
processor = AutoImageProcessor.from_pretrained(name, trust_remote_code=True)
inputs = processor(chips, return_tensors="pt")
def load(**options):
    return AutoModelForImageClassification.from_pretrained(name, trust_remote_code=True, **options)
def ages(model):
    with torch.no_grad():
        return model(**inputs).age.float().tolist()
"""
LOADED = (
    BEGIN
    + """
import copy, pickle
config = AutoConfig.from_pretrained(name, trust_remote_code=True)
told["labels"] = [config.id2label, config.label2id, config.num_labels]
model = load()
told["modes"] = [str(model.dtype), str(model.device), model.training, type(model).__name__, model.main_input_name]
told["printed"] = [text in repr(model) for text in ("conv5_block3_3", "age_distribution", "BatchNorm2d")]
with torch.no_grad():
    outputs = model(**inputs)
told["shapes"] = {key: list(value.shape) for key, value in outputs.items()}
told["tuple"] = len(model(**inputs, return_dict=False))
told["ages"], told["female"] = outputs.age.tolist(), outputs.logits.softmax(1)[:, 1].tolist()
predicted = [face for (face,) in model.predictor.raw(chips, faces="none")]
told["predictor"] = [[face.age for face in predicted], [face.female_probability for face in predicted]]
told["engine"] = model.predictor.engine
import importlib
resize, preprocessing = (importlib.import_module(f"{model.package.__name__}.{name}") for name in ("pictures.resize", "network.preprocessing"))
seen = preprocessing.pixel_values(np.stack([resize.resize(chip, 224) for chip in chips]))
told["pixels"] = bool(np.array_equal(inputs["pixel_values"].numpy(), seen))
told["copies"] = [ages(pickle.loads(pickle.dumps(model))), ages(copy.deepcopy(model))]
told["halves"] = {}
for dtype in ("bfloat16", "float16"):
    loaded, cast = load(dtype=getattr(torch, dtype)), load().to(getattr(torch, dtype))
    for kind, half in (("loaded", loaded), ("cast", cast)):
        variances = half.network.conv1["normalization"].running_var
        told["halves"][f"{kind} {dtype}"] = [str(half.dtype), str(variances.dtype), float(variances.max()), ages(half)]
told["compiled"] = ages(torch.compile(model))
pipe = pipeline(model=name, trust_remote_code=True)
told["pipe"] = [str(pipe), pipe("astronaut.png")[0]["age"], pickle.loads(pickle.dumps(pipe))("astronaut.png")[0]["age"]]
told["frozen"] = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
try:
    model("astronaut.png")
except TypeError as error:
    told["photo"] = str(error)
print(json.dumps(told))
"""
)
TRAINED = (
    BEGIN
    + """
import filecmp, os
model = load()
gender, age = torch.tensor([0, 1, -1, 0, 1, 0, 1, 1]), torch.tensor([20.0, 70, 3, float("nan"), 44, 9, 60, 31])
losses = {"gender": model(**inputs, gender=gender), "labels": model(**inputs, labels=gender)}
losses |= {"age": model(**inputs, age=age), "both": model(**inputs, age=age, gender=gender)}
losses |= {"bins": model(**inputs, age=torch.stack([age, age], 1)), "none": model(**inputs)}
told["losses"] = {key: None if value.loss is None else float(value.loss) for key, value in losses.items()}
model.save_pretrained("same")
told["same"] = filecmp.cmp("same/model.safetensors", f"{name}/model.safetensors", shallow=False)
model.train()
model.gradient_checkpointing_enable()
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
steps = []
for _ in range(4):
    loss = model(**inputs, age=age, gender=gender).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    steps.append(float(loss))
told["steps"] = steps
told["gradients"] = all(parameter.grad is not None for parameter in model.parameters())
live = model.predictor("astronaut.png", faces="none")[0].age
model.eval()
model.save_pretrained("tuned")
again = AutoModelForImageClassification.from_pretrained("tuned", trust_remote_code=True)
told["saved"] = [ages(again), ages(model), live, again.predictor("astronaut.png", faces="none")[0].age]
told["interval"] = again.predictor("astronaut.png")[0].age_interval
told["left"] = [os.path.exists(f"tuned/{path}") for path in ("README.md", "metrics.json", "familiarity.safetensors", "onnx")]
told["kept"] = [os.path.exists(f"tuned/{path}") for path in ("handler.py", "network/engines/choice.py", "LICENSE.md")]
print(json.dumps(told))
"""
)
PUBLISHED = (
    BEGIN
    + """
from hf_model import AgeGenderPredictor
graph = AgeGenderPredictor.from_pretrained("hf_model", engine="onnx", precision="float32")
faces = [face for (face,) in graph.raw(chips, faces="none")]
with torch.no_grad():
    outputs = load()(**inputs)
told["ages"] = max(abs(face.age - age) for face, age in zip(faces, outputs.age.tolist()))
odds = [float(np.log(face.female_probability / (1 - face.female_probability))) for face in faces]
told["odds"] = max(abs(one - other) for one, other in zip(odds, (outputs.logits[:, 1] - outputs.logits[:, 0]).tolist()))
print(json.dumps(told))
"""
)
HUB = (
    BEGIN
    + """
model = AutoModel.from_pretrained("user/age-gender", trust_remote_code=True, device_map="auto")
told["ages"], told["code"] = ages(model), model.package.__file__
model.push_to_hub("user/again", token="hf_writer")
again = AutoModel.from_pretrained("user/again", trust_remote_code=True)
told["again"] = [ages(again), again.predictor("astronaut.png")[0].age]
from huggingface_hub import HfApi
told["files"] = [sorted(HfApi().list_repo_files(repo)) for repo in ("user/age-gender", "user/again")]
import huggingface_hub
told["map"] = json.load(open(huggingface_hub.hf_hub_download("user/again", "config.json")))["auto_map"]
print(json.dumps(told))
"""
)


@pytest.fixture(scope="module")
def elsewhere(root, astronaut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    for name in (NAME, "hf_model"):
        shutil.copytree(root / "hf_model", folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    astronaut.save(folder / "astronaut.png")
    return folder


@pytest.fixture(scope="module")
def loaded(elsewhere):
    return json_offline(LOADED, elsewhere)


def test_what_transformers_asks_of_a_model_is_there(loaded):
    assert loaded["labels"] == [{"0": "male", "1": "female"}, {"male": 0, "female": 1}, 2]
    assert loaded["modes"] == ["torch.float32", "cpu", False, "AgeGenderForImageClassification", "pixel_values"]
    assert all(loaded["printed"])
    assert loaded["shapes"] == {"logits": [8, 2], "age_logits": [8, 117], "age": [8]}
    assert loaded["tuple"] == 3
    assert not loaded["frozen"]
    assert "model.predictor" in loaded["photo"]


def test_a_forward_pass_is_what_the_predictor_says(loaded):
    assert loaded["engine"] == "torch/float32 on cpu"
    assert loaded["predictor"][0] == pytest.approx(loaded["ages"], abs=1e-3)
    assert loaded["predictor"][1] == pytest.approx(loaded["female"], abs=1e-5)


def test_the_image_processor_gives_the_very_numbers_that_training_sees(loaded):
    assert loaded["pixels"]


def test_its_loss_weighs_its_parts_as_the_last_training_did():
    from hf_model.network.torch_loss import Weights
    from train.recipe import load_recipe

    recipe = load_recipe("best")
    for name, value in dataclasses.asdict(Weights()).items():
        assert getattr(recipe, name) == value, name


def test_copies_and_compiled_models_answer_alike(loaded):
    for answers in (*loaded["copies"], loaded["compiled"]):
        assert answers == pytest.approx(loaded["ages"], abs=1e-3)
    printed, one, again = loaded["pipe"]
    assert "AgeGenderPipeline" in printed
    assert again == pytest.approx(one, abs=1e-3)


def test_in_half_precision_batchnorm_stays_whole(loaded):
    for kind, (dtype, variances, largest, ages) in loaded["halves"].items():
        assert dtype == f"torch.{kind.split()[1]}"
        assert variances == "torch.float32"
        assert largest > 65_504  # beyond float16
        assert ages == pytest.approx(loaded["ages"], abs=0.5), kind
        assert ages != loaded["ages"], kind


def test_it_trains_and_saves_what_it_learned(elsewhere):
    told = json_offline(TRAINED, elsewhere)
    losses = told["losses"]
    assert losses["none"] is None
    assert losses["gender"] == losses["labels"]
    assert losses["both"] == pytest.approx(losses["age"] + losses["gender"], rel=1e-5)
    assert losses["bins"] == pytest.approx(losses["age"], rel=1e-6)
    assert told["same"]
    assert told["steps"][-1] < 0.9 * told["steps"][0]
    assert told["gradients"]
    saved, model, live, of_saved = told["saved"]
    assert saved == pytest.approx(model, abs=1e-3)
    assert of_saved == pytest.approx(live, abs=1e-2)  # the predictor's network is the model as it is
    assert told["interval"] is None  # what was calibrated was another model
    assert not any(told["left"])
    assert all(told["kept"])


@pytest.mark.skipif(not importlib.util.find_spec("onnxruntime"), reason="wants onnxruntime: make test-transformers")
def test_it_is_the_published_float32_graph(elsewhere):
    told = json_offline(PUBLISHED, elsewhere)
    assert told["ages"] <= 1e-3
    assert told["odds"] <= 1e-3


def test_it_goes_to_the_hub_and_back_whole(root, elsewhere, tmp_path):
    files = published_files(root) | {"README.md": b"# A card\n"}
    with HubServer() as hub:
        hub.put("model", "user/age-gender", files)
        environment = hub_environment(hub, tmp_path)
        environment.pop("PYTHONPATH", None)
        told = last_json(run_script(HUB, folder=elsewhere, environment=environment))
    assert told["again"][0] == pytest.approx(told["ages"], abs=1e-3)
    before, after = told["files"]
    assert not set(before) - set(after) - {".gitattributes"}
    assert all("--" not in reference for reference in told["map"].values())
