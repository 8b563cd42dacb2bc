"""What this project starts looks up no name and connects to nobody, unless the user asked for it.

Each command runs in a process of its own, recorded by ``recorder.c``. Ray is watched in ``tests/bulk``, the doors of
transformers in ``tests/transformers_door``, the page in ``tests/space``.
"""

import shutil
import subprocess
import sys

import pytest

from hf_model.network.engines.graph_files import network_file
from hf_model.settings import Settings

COMMANDS = {
    "command line, OpenVINO": "-m hf_model {photo} --engine openvino",
    "command line, OpenVINO in int8": "-m hf_model {photo} --engine openvino --precision int8",
    "command line, ONNX Runtime": "-m hf_model {photo} --engine onnx",
    "command line, Keras": "-m hf_model {photo} --engine keras",
    "graphs": "-m hf_model.engines --build",
    "training": "-m train --smoke --recipe seed --last-stage heads --out {out}/run --cache {out}/cache",
    "dataset": "-m train.curate.build_dataset --data {faces} --out {out}/parquet",
    "plan of the measuring": "-m train.measure plan --data {faces} --cache {out}/cache",
    "calibration": (
        "-m train.measure uncertainty --model {model} --data {faces} --limit 30 --limit-changed 4 --cache {out}/cache"
    ),
    "int8's ranges": "-m train.measure int8 --model {model} --data {faces} --limit 4 --cache {out}/cache",
    "card": "-m train.release.card --check",
}
CODE = {
    "metrics of evaluate": """
import evaluate
assert evaluate.load("train/measure/metrics/age_error").compute(predictions=[1], references=[2])["mae"] == 1
""",
    "handler": """
import runpy
door = runpy.run_path("hf_model/handler.py")["EndpointHandler"]("hf_model")
assert door({"inputs": open(PHOTO, "rb").read()})[0]["age"] > 0
""",
    "a dataset labelled": """
import datasets
from hf_model import AgeGenderPredictor
from hf_model.bulk.labelling import label_dataset
made = datasets.Dataset.from_dict({"image": [PHOTO]}, features=datasets.Features(image=datasets.Image()))
assert label_dataset(made, AgeGenderPredictor.from_pretrained("hf_model"))[0]["faces"]
""",
}


def run(arguments, root, environment):
    result = subprocess.run([sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-1000:] + result.stderr[-3000:]


@pytest.fixture
def photo(astronaut, tmp_path):
    astronaut.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_asks_nobody(name, root, photo, recorded, make_utkface, tmp_path):
    environment, record = recorded
    model, faces = tmp_path / "model", "none"
    if "{model}" in COMMANDS[name]:
        shutil.copytree(root / "hf_model", model, ignore=shutil.ignore_patterns("__pycache__"))
    if "{faces}" in COMMANDS[name]:
        faces = make_utkface({f"{5 + i % 60}_{i % 2}_{i % 5}_20170101{i:09d}.jpg.chip.jpg": i for i in range(400)})
    command = COMMANDS[name].format(photo=photo, out=tmp_path / "out", model=model, faces=faces)
    run(command.split(), root, environment)
    assert record() == []


def test_the_recorder_sees_what_onnx_runtime_would_do(root, recorded):
    """Without the switch; if this fails, ONNX Runtime has stopped it, or does it in another way: look."""
    environment, record = recorded
    graph = network_file(Settings.load(root / "hf_model"), root / "hf_model", "float32")
    code = f"import onnxruntime; onnxruntime.InferenceSession({str(graph)!r}, providers=['CPUExecutionProvider'])"
    run(["-c", code], root, environment)
    assert any("deviceid" in line for line in record())


@pytest.mark.parametrize("name", CODE)
def test_a_library_asks_nobody(name, root, photo, recorded):
    environment, record = recorded
    run(["-c", CODE[name].replace("PHOTO", repr(str(photo)))], root, environment)
    assert record() == []


def test_the_recorder_sees_who_calls(root, recorded):
    """Names from Python, from its child, and an address without a name; nothing of this machine's own."""
    environment, record = recorded
    code = """
import contextlib, socket, subprocess, sys
for place in ("example.invalid", "localhost", "127.0.0.1"):
    with contextlib.suppress(OSError):
        socket.getaddrinfo(place, 80)
subprocess.run([sys.executable, "-c", "import socket; socket.gethostbyname_ex('child.invalid')"], stderr=subprocess.DEVNULL)
with socket.socket() as stream:
    stream.settimeout(0.01)
    with contextlib.suppress(OSError):
        stream.connect(("127.0.0.1", 9))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
    with contextlib.suppress(OSError):
        datagram.connect(("192.0.2.1", 9))
"""
    run(["-c", code], root, environment)
    assert sorted(record()) == ["lookup child.invalid", "lookup example.invalid"]


def test_openvino_keeps_its_telemetry_for_who_wants_it(root, recorded):
    """Ours is off; a program that imports the package itself still can."""
    environment, record = recorded
    code = """
import sys
from hf_model import AgeGenderPredictor
AgeGenderPredictor.from_pretrained("hf_model", engine="openvino")
assert "openvino_telemetry" not in sys.modules
import openvino_telemetry
assert openvino_telemetry.Telemetry
"""
    run(["-c", code], root, environment)
    assert record() == []
