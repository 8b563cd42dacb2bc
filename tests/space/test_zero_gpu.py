"""ZeroGPU: whatever computes does so inside calls that have the GPU, and nothing else asks for one."""

import sys
import types

import pytest

INSIDE: list[str] = []


def gpu(task):
    """As ``spaces.GPU``: the GPU is there while a decorated call lasts."""

    def call(*arguments, **options):
        INSIDE.append(task.__name__)
        try:
            return task(*arguments, **options)
        finally:
            INSIDE.pop()

    return call


@pytest.fixture
def model(root, monkeypatch):
    """The Space's module ``model``, in such a Space, with a network that refuses to run outside decorated calls."""
    monkeypatch.syspath_prepend(str(root / "space"))
    monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=gpu))
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    for name in ("model", "zero_gpu"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import model

    return model


@pytest.fixture
def predictors(root, model, monkeypatch):
    from hf_model import AgeGenderPredictor
    from hf_model.network.engines.choice import make_engine

    real = AgeGenderPredictor.from_pretrained
    asked = []

    def from_pretrained(folder, engine):
        asked.append(engine)
        made = real(root / "hf_model", engine="onnx")
        if engine == "torch":

            def only_inside(crops):
                assert INSIDE, "the network ran where there is no GPU"
                return made.forward(crops)

            return AgeGenderPredictor(made.settings, only_inside, make_engine("onnx"), made.folder)
        return made

    package = types.SimpleNamespace(AgeGenderPredictor=types.SimpleNamespace(from_pretrained=from_pretrained))
    monkeypatch.setattr(model.importlib.util, "module_from_spec", lambda spec: package)
    spec = types.SimpleNamespace(loader=types.SimpleNamespace(exec_module=lambda package: None))
    monkeypatch.setattr(model.importlib.util, "spec_from_file_location", lambda *arguments, **options: spec)
    monkeypatch.setitem(sys.modules, "hf_model", sys.modules["hf_model"])
    return model.load_predictors(root / "hf_model"), asked


def test_photos_are_answered_on_the_gpu_and_the_camera_by_the_processor(predictors, astronaut):
    (photos, camera), asked = predictors
    assert asked[0] == "torch"
    assert asked[1] in ("openvino", "onnx")
    photos.warm_up()  # at the start, where there is no GPU
    (face,) = photos(astronaut)
    analysis = photos.analyse(astronaut, faces="all", explain=("age",))
    (explained,) = photos.explain(astronaut, target="gender")
    assert analysis.predictions[0].age == pytest.approx(face.age, abs=1e-3)
    assert explained.heatmap.shape == (224, 224)
    assert photos.settings.model_version
    assert photos.read(astronaut).size == astronaut.size
    assert not INSIDE
    (seen,) = camera(astronaut)  # outside any such call
    assert seen.age == pytest.approx(face.age, abs=0.3)


def test_a_hub_that_is_down_is_asked_again(model, monkeypatch, tmp_path, capsys):
    import huggingface_hub

    tries = []

    def down_twice(repo, revision):
        tries.append(repo)
        if len(tries) < 3:
            raise ConnectionError("no route")
        return str(tmp_path)

    monkeypatch.setattr(model, "PAUSES", (0, 0))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", down_twice)
    assert model.pull("user/model", "v0.1.0") == tmp_path
    assert len(tries) == 3
    assert capsys.readouterr().out.count("asking again") == 2
