"""The door of Inference Endpoints: loaded as a lone file, by its path, in a process that knows nothing else."""

import base64
import io
import json
import shutil
import subprocess
import sys

import pytest

SCRIPT = """
import base64, importlib.util, json, pathlib, sys
spec = importlib.util.spec_from_file_location("handler", pathlib.Path(sys.argv[1]) / "handler.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
assert not {"numpy", "PIL", "tensorflow"} & set(sys.modules), "more than the standard library at its top"
handler = module.EndpointHandler(sys.argv[1])
data = open(sys.argv[2], "rb").read()
text = base64.b64encode(data).decode()
import io, PIL.Image
answers = {
    "bytes": handler({"inputs": data}),
    "base64": handler({"inputs": text, "parameters": {"faces": "all"}}),
    "uri": handler({"inputs": "data:image/png;base64," + text}),
    "pil": handler({"inputs": PIL.Image.open(io.BytesIO(data))}),
    "list": handler({"inputs": [text, "no base64!", b"nothing"], "parameters": {"distribution": True}}),
    "bad": handler({"inputs": "data:image/png,abc"}),
}
for wrong in ({}, {"inputs": data, "parameters": {"face": "all"}}, {"inputs": data, "parameters": {"top_k": 5}}, {"inputs": [b"x"], "parameters": {"on_error": "raise"}},
              {"inputs": "%%", "parameters": {"on_error": "raise"}}):
    try:
        handler(wrong)
        raise SystemExit("not refused: " + str(wrong))
    except ValueError as error:
        answers.setdefault("refused", []).append(str(error))
print(json.dumps(answers))
"""


@pytest.mark.timeout(300)
def test_the_contract_of_an_endpoint_from_a_copy_of_the_folder(root, astronaut, tmp_path):
    folder = tmp_path / "répo of mine"
    shutil.copytree(root / "hf_model", folder, ignore=shutil.ignore_patterns("__pycache__"))
    astronaut.save(tmp_path / "a.png")
    command = [sys.executable, "-c", SCRIPT, str(folder), str(tmp_path / "a.png")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout.splitlines()[-1])
    (face,) = answers["bytes"]
    assert answers["base64"] == answers["uri"] == answers["pil"] == [face]
    (first,), second, third = answers["list"]
    assert {key: value for key, value in first.items() if key != "age_distribution"} == face
    assert "age_distribution" in first
    assert "is no base64 text" in second["error"]
    assert "not a picture" in third["error"]
    assert "without base64 content" in answers["bad"]["error"]
    assert "Nothing to look at" in answers["refused"][0]
    assert "there are faces, on_error and distribution" in answers["refused"][1]
    assert "top_k=5 cannot be honoured" in answers["refused"][2]
    assert (face["label"], face["score"]) == ("female", face["female_probability"])


def test_base64_is_read_with_line_breaks_and_long_texts_are_named_shortly():
    from hf_model.pictures.inputs import InvalidImageError, from_base64

    data = io.BytesIO(b"some bytes" * 30).getvalue()
    assert from_base64(base64.encodebytes(data).decode()) == data
    assert from_base64("DATA:image/jpeg;BASE64," + base64.b64encode(data).decode()) == data
    with pytest.raises(InvalidImageError) as caught:
        from_base64("!" * 5000)
    assert len(str(caught.value)) < 250
