"""Every form in which people knock: what the Hub prints, odd folder names, and all that a pipeline takes."""

import http.server
import io
import json
import os
import shutil
import threading

import PIL.Image
import pytest

from tests.hub.server import HubServer
from tests.support import last_json, published_files, run_script

pytest.importorskip("torch", reason="transformers' pipeline needs PyTorch: make test-transformers")

# What the Hub prints behind "Use this model" for library_name: transformers, pipeline_tag: image-classification and
# custom code, by npm's @huggingface/tasks 0.21.54 (transformers in model-libraries-snippets). The address is another
# here.
PRINTED = (
    """
# Use a pipeline as a high-level helper
from transformers import pipeline

pipe = pipeline("image-classification", model="user/age-gender", trust_remote_code=True)
pipe("https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/hub/parrots.png")
""",
    """
# Load model directly
from transformers import AutoModel
model = AutoModel.from_pretrained("user/age-gender", trust_remote_code=True, device_map="auto")
""",
)
PARROTS = "https://huggingface.co/datasets/huggingface/documentation-images/resolve/main/hub/parrots.png"
FOLDERS = ("model.v1.5", "mein Modell äöü", ".")
FORMS = """
import json, sys
if sys.argv[1] == "tensorflow":
    import tensorflow
import os
from transformers import AutoModel, pipeline
answers = {}
for name in json.loads(sys.argv[2]):
    if name == ".":
        os.chdir("here")
    photo = os.path.abspath("astronaut.png")
    answers[name] = [
        pipeline(model=name, trust_remote_code=True)(photo),
        pipeline("image-classification", model=name, trust_remote_code=True, dtype="auto")(photo),
    ]
    if sys.argv[1] != "tensorflow":
        answers[name].append([face.to_dict() for face in AutoModel.from_pretrained(name, trust_remote_code=True).predictor(photo)])
print(json.dumps(answers))
"""
INPUTS = """
import base64, json, sys
import numpy as np, PIL.Image
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset
pipe = pipeline("image-classification", model="model.v1.5", trust_remote_code=True)
photo, address = "astronaut.png", sys.argv[1]
data = open(photo, "rb").read()
text = base64.b64encode(data).decode()
rows = [{"image": PIL.Image.open(photo), "label": 1}, {"image": photo, "label": 0}]
def generated():
    yield photo
    yield address
refused = []
for options in ({"top_k": 5}, {"function_to_apply": "sigmoid"}, {"num_workers": 2}):
    try:
        pipe(photo, **options)
    except ValueError as error:
        refused.append(str(error))
told = pipe(photo, top_k=1, function_to_apply="softmax", num_workers=0, timeout=5, batch_size=4)
answers = {
    "address": pipe(address),
    "bytes": pipe(data),
    "base64": pipe(text),
    "data URI": pipe("data:image/png;base64," + text),
    "array": pipe(np.asarray(PIL.Image.open(photo).convert("RGB"))),
    "dict": pipe({"image": photo}),
    "top_k": told,
    "list": pipe([photo, address, {"url": address}], batch_size=2)[2],
    "generator": list(pipe(generated(), batch_size=2))[1],
    "KeyDataset": list(pipe(KeyDataset(rows, "image"), batch_size=2))[1],
}
print(json.dumps({"answers": answers, "refused": refused}))
"""
WITHOUT_PYTORCH = """
import sys
sys.modules["torch"] = sys.modules["accelerate"] = None  # as where they are not installed
from transformers import pipeline
try:
    pipeline(model="model.v1.5", trust_remote_code=True)
except ImportError as error:
    print(repr(str(error)))
"""


@pytest.fixture(scope="module")
def elsewhere(root, astronaut, tmp_path_factory):
    """A folder outside the checkout with the model under odd names, and a photo."""
    folder = tmp_path_factory.mktemp("forms")
    for name in FOLDERS:
        place = folder / (name if name != "." else "here")
        shutil.copytree(root / "hf_model", place, ignore=shutil.ignore_patterns("__pycache__"), copy_function=os.link)
        astronaut.save(place / "astronaut.png")
    astronaut.save(folder / "astronaut.png")
    return folder


def environment(folder, **more):
    values = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", **more}
    for name in ("PYTHONPATH", "HF_TOKEN"):
        values.pop(name, None)
    return values


@pytest.fixture(scope="module")
def expected(predictor, astronaut):
    return predictor(astronaut)[0].to_dict()


def is_that(faces, expected):
    assert len(faces) == 1
    assert faces[0]["age"] == pytest.approx(expected["age"], abs=0.3)
    assert faces[0]["box"] == expected["box"]
    return True


@pytest.mark.parametrize(("before", "folders"), [("nothing", FOLDERS), ("tensorflow", FOLDERS[:1])])
def test_folders_of_odd_names_load_in_every_form(elsewhere, expected, before, folders):
    code = run_script(FORMS, before, json.dumps(folders), folder=elsewhere, environment=environment(elsewhere))
    answers = last_json(code)
    assert set(answers) == set(folders)
    for forms in answers.values():
        assert len(forms) == (2 if before == "tensorflow" else 3)
        assert all(is_that(faces, expected) for faces in forms)


class Pictures(http.server.BaseHTTPRequestHandler):
    """One picture, at every address."""

    data = b""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def address(astronaut, elsewhere):
    handler = type("Handler", (Pictures,), {"data": (elsewhere / "astronaut.png").read_bytes()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/photo.png"
        server.shutdown()


def test_a_pipeline_takes_what_pipelines_take(elsewhere, expected, address):
    said = last_json(run_script(INPUTS, address, folder=elsewhere, environment=environment(elsewhere)))
    assert len(said["answers"]) == 10
    for form, faces in said["answers"].items():
        assert is_that(faces, expected), form
    assert [sentence.partition("=")[0] for sentence in said["refused"]] == ["top_k", "function_to_apply", "num_workers"]


def test_what_the_hub_prints_runs(root, elsewhere, expected, astronaut):
    """As printed, in one process after another's cache; the parrots have no face, an astronaut has one."""
    files = published_files(root)
    parrots = io.BytesIO()
    PIL.Image.radial_gradient("L").save(parrots, "PNG")
    with HubServer() as hub:
        hub.put("model", "user/age-gender", files)
        hub.put("model", "user/pictures", {"parrots.png": parrots.getvalue()})
        there = f"{hub.url}/user/pictures/resolve/main/parrots.png"
        first, second = PRINTED
        assert PARROTS in first
        first = first.replace(f'pipe("{PARROTS}")', f'faces = pipe("{there}")')
        code = f"""
{first}
import json
{second}
print(json.dumps({{"parrots": faces, "pipe": pipe("astronaut.png"), "model": [face.to_dict() for face in model.predictor("astronaut.png")]}}))
"""
        values = environment(elsewhere, HF_ENDPOINT=hub.url, HF_HOME=str(elsewhere / "hub"))
        del values["HF_HUB_OFFLINE"]
        said = last_json(run_script(code, folder=elsewhere, environment=values))
    assert said["parrots"] == []
    assert is_that(said["pipe"], expected)
    assert is_that(said["model"], expected)


def test_the_card_makes_the_hub_print_no_other_librarys_form(root):
    """For a tag that names a library the Hub prints that library's form too; Keras's would fail on this repo."""
    from huggingface_hub import ModelCard

    data = ModelCard((root / "MODEL_CARD.md").read_text(encoding="utf-8")).data
    assert data.library_name == "transformers"
    assert data.pipeline_tag == "image-classification"
    assert not {"keras", "tf-keras"} & set(data.tags)


def test_without_pytorch_a_sentence_says_what_to_do(elsewhere):
    said = run_script(WITHOUT_PYTORCH, folder=elsewhere, environment=environment(elsewhere))
    assert "pip install torch" in said
    assert "AgeGenderPredictor" in said
