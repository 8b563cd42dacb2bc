"""The engines answer alike, say what runs and what is missing, and build their graphs once, whole or not at all."""

import importlib.util
import json
import shutil
import subprocess
import sys
import types

import huggingface_hub.constants
import numpy as np
import pytest

from hf_model import AgeGenderPredictor, download
from hf_model.download import file_sha256
from hf_model.network.engines import choice, graph_files
from hf_model.network.engines.onnx_engine import OnnxEngine
from hf_model.settings import Settings

ENGINES = ("onnx", "openvino")
# Ages in years and probabilities that an engine may differ by from Keras in float32, on noise too.
SLACK = {"float32": (0.02, 0.002), "bfloat16": (1.5, 0.05)}


@pytest.fixture(scope="module")
def made(root):
    """One predictor an engine and precision, made at first use."""
    kept = {}

    def make(engine: str, precision: str = "float32") -> AgeGenderPredictor:
        pytest.importorskip({"onnx": "onnxruntime"}.get(engine, engine), reason="an extra that is not installed")
        if (engine, precision) not in kept:
            kept[engine, precision] = AgeGenderPredictor.from_pretrained(
                root / "hf_model", engine=engine, precision=precision
            )
        return kept[engine, precision]

    return make


@pytest.fixture(scope="module")
def chips(astronaut):
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, (80, 80, 3), dtype=np.uint8) for _ in range(3)]
    return noise + [astronaut.crop((150 + 4 * i, 40, 290 + 4 * i, 180)) for i in range(8)]


@pytest.mark.parametrize(
    ("engine", "precision"), [("onnx", "float32"), ("openvino", "float32"), ("openvino", "bfloat16")]
)
def test_all_engines_give_the_same_answers(predictor, made, chips, astronaut, engine, precision):
    other = made(engine, precision)
    years, probability = SLACK[precision]
    assert other.engine == f"{engine}/{precision}"
    for (one,), (two,) in zip(predictor(chips, faces="none"), other(chips, faces="none"), strict=True):
        assert abs(one.age - two.age) <= years
        assert abs(one.female_probability - two.female_probability) <= probability
    assert other(astronaut)[0].box == predictor(astronaut)[0].box
    assert other(np.zeros((64, 64, 3), np.uint8)) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_may_be_shared_between_threads(made, chips, engine):
    import concurrent.futures

    shared = made(engine)
    expected = [answer[0].age for answer in shared(chips, faces="none")]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for answers in pool.map(lambda _: shared(chips, faces="none"), range(8)):
            assert [answer[0].age for answer in answers] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_fast_engines_load_neither_tensorflow_nor_keras(root, made, astronaut, tmp_path, engine):
    made(engine)  # the graphs are there
    astronaut.save(tmp_path / "a.png")
    code = (
        "import sys\nfrom hf_model import AgeGenderPredictor\n"
        f"predictor = AgeGenderPredictor.from_pretrained('hf_model', engine={engine!r}, threads=1)\n"
        f"assert len(predictor({str(tmp_path / 'a.png')!r})) == 1\n"
        "print([name for name in ('tensorflow', 'keras', 'mtcnn', 'onnx') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert (result.stdout.strip(), result.stderr.strip()) == ("[]", "")


@pytest.fixture
def no_graphs(tmp_path, monkeypatch):
    """An empty place for graphs."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_ASSETS_CACHE", str(tmp_path / "assets"))
    return tmp_path / "assets"


def test_auto_takes_the_fastest_and_builds_its_graphs_once_and_says_so(
    root, chips, predictor, monkeypatch, no_graphs, capsys
):
    pytest.importorskip("onnx")
    best = choice.make_engine("openvino")
    made = AgeGenderPredictor.from_pretrained(root / "hf_model")
    assert made.engine == str(best)
    assert "Building the network's graph from" in capsys.readouterr().err
    assert abs(made(chips, faces="none")[0][0].age - predictor(chips, faces="none")[0][0].age) < 0.5
    AgeGenderPredictor.from_pretrained(root / "hf_model")
    assert capsys.readouterr().err == ""


def test_where_nothing_can_build_a_graph_keras_answers_and_says_why(root, monkeypatch, no_graphs, capsys):
    settings = Settings.load(root / "hf_model")
    find = importlib.util.find_spec
    monkeypatch.setattr(choice.importlib.util, "find_spec", lambda name: None if name == "onnx" else find(name))
    assert str(choice.choose_engine(settings, root / "hf_model")) == "keras/float32"
    assert "pip install onnx" in capsys.readouterr().err
    assert not no_graphs.exists()
    for engine in (choice.OpenVinoEngine, choice.OnnxEngine):
        monkeypatch.setattr(engine, "packages", ("nothing_of_that_name",))
    assert str(choice.choose_engine(settings, root / "hf_model")) == "keras/float32"
    assert capsys.readouterr().err == ""  # nothing to build it for


def test_a_graph_is_built_once_and_appears_whole(root, monkeypatch, no_graphs):
    pytest.importorskip("onnx")
    settings = Settings.load(root / "hf_model")
    real = download.os.replace

    def cut_off(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(download.os, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt):
        graph_files.network_file(settings, root / "hf_model", "float32")
    assert not list(no_graphs.rglob("*.onnx"))
    monkeypatch.setattr(download.os, "replace", real)
    path = graph_files.network_file(settings, root / "hf_model", "float32")
    monkeypatch.setattr(graph_files, "build_network", lambda *args: pytest.fail("built again"))
    assert graph_files.network_file(settings, root / "hf_model", "float32") == path


def test_a_kept_graph_that_is_not_whole_is_built_anew(root, no_graphs):
    pytest.importorskip("onnx")
    settings = Settings.load(root / "hf_model")
    path = graph_files.network_file(settings, root / "hf_model", "float32")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])  # cut short, as by a full disk or a copy
    assert graph_files.network_file(settings, root / "hf_model", "float32").read_bytes() == whole
    path.write_bytes(whole[:-1] + b"?")  # changed, which only --build looks for
    assert graph_files.network_file(settings, root / "hf_model", "float32", verify_checksum=True).read_bytes() == whole
    (path.parent / "kept.json").write_text("{")
    assert graph_files.network_file(settings, root / "hf_model", "float32").read_bytes() == whole


def test_where_nothing_can_be_kept_it_is_said_and_answered(root, chips, monkeypatch, tmp_path, capsys):
    pytest.importorskip("onnx")
    blocked = tmp_path / "file"
    blocked.write_text("a file where the cache would be: not even root can write below it")
    monkeypatch.setattr(huggingface_hub.constants, "HF_ASSETS_CACHE", str(blocked))
    made = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")
    assert len(made(chips, faces="none")) == len(chips)
    said = capsys.readouterr().err
    assert f"cannot be kept in {blocked}" in said
    assert said.count("cannot be kept") == 1
    assert "HF_HOME" in said
    AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")
    assert capsys.readouterr().err == ""  # once


@pytest.mark.parametrize("name", ["model.safetensors", "onnx/model.onnx"])
def test_a_pointer_of_git_lfs_is_told(root, tmp_path, name):
    shutil.copy(root / "hf_model" / "config.json", tmp_path)
    (tmp_path / "onnx").mkdir()
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 50000000\n")
    for engine in ("auto", "onnx", *(["keras"] if "onnx/" not in name else [])):
        with pytest.raises(FileNotFoundError, match="git lfs pull"):
            AgeGenderPredictor.from_pretrained(tmp_path, engine=engine)


def test_a_published_graph_serves_without_weights_and_is_left_where_they_are_others(root, made, chips, tmp_path):
    """What a puller has: config and graph. Beside weights that it was not built from, it does not count."""
    made("onnx")
    settings = Settings.load(root / "hf_model")
    folder = tmp_path / "repo"
    (folder / "onnx").mkdir(parents=True)
    for name in ("config.json", "familiarity.safetensors"):
        shutil.copy(root / "hf_model" / name, folder)
    shutil.copy(graph_files.network_file(settings, root / "hf_model", "float32"), folder / "onnx" / "model.onnx")
    weights = file_sha256(root / "hf_model" / "model.safetensors")
    stamp = folder / "onnx" / "built_from.json"
    stamp.write_text(json.dumps({"format": graph_files.FORMAT - 1, "model.onnx": weights}))
    with pytest.raises(ValueError, match="No weights at"):  # a graph of another version is none
        AgeGenderPredictor.from_pretrained(folder, engine="onnx")
    stamp.write_text(json.dumps({"format": graph_files.FORMAT, "model.onnx": weights}))
    pulled = AgeGenderPredictor.from_pretrained(folder, engine="onnx")
    for (one,), (two,) in zip(made("onnx")(chips, faces="none"), pulled(chips, faces="none"), strict=True):
        assert one == two
    shutil.copy(root / "hf_model" / "model.safetensors", folder)
    published = folder / "onnx" / "model.onnx"
    stamp.write_text(json.dumps({"format": graph_files.FORMAT, "model.onnx": "of others"}))
    assert graph_files.find_graph(settings, folder, "float32")[0] != published
    stamp.write_text(json.dumps({"format": graph_files.FORMAT, "model.onnx": weights}))
    assert graph_files.find_graph(settings, folder, "float32") == (published, True)


def test_weights_that_do_not_fit_are_refused_as_by_keras(root, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    import safetensors.numpy

    from hf_model.network.weights import WeightsError, read_tensors

    settings = Settings.load(root / "hf_model")
    tensors = read_tensors(root / "hf_model" / "model.safetensors")
    name = "conv2_block1_2_conv/kernel"
    for change, words in [
        ({name: None}, f"missing: {name}"),
        ({name: np.zeros((3, 3, 64, 63), np.float16)}, "does not fit the model"),
        ({name: np.full((3, 3, 64, 64), np.inf, np.float16)}, "not finite"),
    ]:
        changed = {key: value for key, value in {**tensors, **change}.items() if value is not None}
        safetensors.numpy.save_file(changed, tmp_path / "model.safetensors")
        with pytest.raises(WeightsError, match=words):
            graph_files.build_network(settings, tmp_path, "float32")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"engine": "pytorch"}, "engine='pytorch': pass one of 'keras', 'onnx', 'openvino', 'torch', 'auto'"),
        ({"precision": "float8"}, "precision='float8': pass one of"),
        ({"engine": "keras", "precision": "int8"}, "precision='int8' is not for engine='keras', which has float32"),
        ({"engine": "onnx", "precision": "bfloat16"}, "precision='bfloat16' is not for engine='onnx'"),
        ({"engine": "keras", "threads": 2}, "threads=2 is not for engine='keras': pass engine='onnx' or 'openvino'"),
        ({"engine": "onnx", "threads": 0}, "threads=0: pass a whole number"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_with_what_to_pass(root, options, words):
    with pytest.raises(ValueError, match=words):
        AgeGenderPredictor.from_pretrained(root / "hf_model", **options)


@pytest.mark.parametrize(("lacks", "asked"), [(True, True), (None, True), (False, False)])
def test_onnx_runtime_sums_int8_carefully_only_where_it_must(monkeypatch, tmp_path, lacks, asked):
    """With VNNI it would halve the speed, and answers are right without."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="an extra that is not installed")
    seen = []

    class Session:
        def __init__(self, path, options, providers):
            seen.append(options)

        def get_inputs(self):
            return [types.SimpleNamespace(name="pixel_values")]

        def get_outputs(self):
            return []

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr("hf_model.network.engines.onnx_engine.lacks_vnni", lambda: lacks)
    OnnxEngine("int8").open(tmp_path / "int8.onnx", "int8", 1)
    (options,) = seen
    if asked:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
    else:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("session.x64quantprecision")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_is_not_installed_is_named(root, monkeypatch, engine):
    monkeypatch.setattr(choice.ENGINES[engine], "packages", ("nothing_of_that_name",))
    with pytest.raises(ImportError, match=f"engine='{engine}' needs .* pip install nothing_of_that_name"):
        AgeGenderPredictor.from_pretrained(root / "hf_model", engine=engine)


def test_the_command_builds_and_says_where(root, made):
    made("onnx")
    command = [sys.executable, "-m", "hf_model.engines", "--build"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert "graphs are there, the network's in" in result.stdout
    result = subprocess.run([*command, "--model", "nowhere"], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr
