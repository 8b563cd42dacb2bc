"""One predictor and several processes: forked ones, spawned ones, and what a pickle of it holds."""

import multiprocessing
import pickle
import shutil

import pytest

from hf_model import AgeGenderPredictor


@pytest.fixture(scope="module", params=["onnx", "openvino"])
def fast(request, root, astronaut):
    pytest.importorskip({"onnx": "onnxruntime"}.get(request.param, request.param))
    made = AgeGenderPredictor.from_pretrained(root / "hf_model", engine=request.param, threads=1)
    made(astronaut)
    return made


def tell(queue, predictor, picture):
    try:
        queue.put([predictor(picture)[0].age for _ in range(2)])
    except Exception as error:
        queue.put(repr(error))


def ask(kind: str, predictor, picture, wait_s: float = 60):
    context = multiprocessing.get_context(kind)
    queue = context.Queue()
    processes = [context.Process(target=tell, args=(queue, predictor, picture)) for _ in range(2)]
    for process in processes:
        process.start()
    try:
        return [queue.get(timeout=wait_s) for _ in processes]
    finally:
        for process in processes:
            process.kill()


def test_a_forked_child_answers(fast, astronaut):
    expected = fast(astronaut)[0].age
    assert ask("fork", fast, astronaut) == [[expected] * 2] * 2
    assert fast(astronaut)[0].age == expected


def test_a_spawned_child_answers(fast, astronaut):
    expected = fast(astronaut)[0].age
    assert ask("spawn", fast, astronaut) == [[expected] * 2] * 2


def test_keras_in_a_forked_child_says_what_to_do_instead_of_hanging(predictor, astronaut):
    predictor(astronaut)
    for told in ask("fork", predictor, astronaut):
        assert "spawn" in told
        assert "engine='openvino'" in told


def test_a_pickle_is_small_and_holds_no_token(root, monkeypatch):
    pytest.importorskip("onnxruntime")
    made = AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx", token="hf_secret")
    data = pickle.dumps(made)
    assert len(data) < 1000
    assert b"hf_secret" not in data
    assert pickle.dumps(made) == data
    assert pickle.dumps(AgeGenderPredictor.from_pretrained(root / "hf_model", engine="onnx")) == data


def test_unpickled_on_other_weights_it_raises(root, tmp_path):
    pytest.importorskip("onnxruntime")
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(root / "hf_model" / name, folder)
    data = pickle.dumps(AgeGenderPredictor.from_pretrained(folder, engine="onnx"))
    assert pickle.loads(data).engine == "onnx/float32"
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ValueError, match="holds other weights"):
        pickle.loads(data)


def test_one_that_was_made_by_hand_does_not_pickle(predictor):
    with pytest.raises(TypeError, match="from_pretrained"):
        pickle.dumps(AgeGenderPredictor(predictor.settings, predictor.forward))


def label(batch, predictor):
    return {"age": [predictor(picture)[0].age for picture in batch["image"]]}


def test_datasets_map_in_processes_and_from_its_cache(fast, astronaut, tmp_path):
    datasets = pytest.importorskip("datasets")
    pictures = datasets.Dataset.from_dict(
        {"image": [astronaut] * 4}, features=datasets.Features(image=datasets.Image())
    )
    pictures.save_to_disk(tmp_path / "pictures")
    pictures = datasets.load_from_disk(tmp_path / "pictures")
    options = {"batched": True, "batch_size": 2, "fn_kwargs": {"predictor": fast}}
    expected = fast(astronaut)[0].age
    assert pictures.map(label, num_proc=2, **options)["age"][:] == [pytest.approx(expected, abs=1e-3)] * 4
    first = pictures.map(label, **options)
    again = pictures.map(label, **options)
    assert first._fingerprint == again._fingerprint
    assert [file["filename"] for file in first.cache_files] == [file["filename"] for file in again.cache_files]


def test_label_dataset_does_not_compute_twice(fast, astronaut, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    from hf_model.bulk import label_dataset

    pictures = datasets.Dataset.from_dict(
        {"image": [astronaut] * 2}, features=datasets.Features(image=datasets.Image())
    )
    pictures.save_to_disk(tmp_path / "pictures")
    pictures = datasets.load_from_disk(tmp_path / "pictures")
    first = label_dataset(pictures, fast)
    kept = sorted((tmp_path / "pictures").rglob("cache-*"))
    again = label_dataset(pictures, fast)
    assert first._fingerprint == again._fingerprint
    assert sorted((tmp_path / "pictures").rglob("cache-*")) == kept
    in_two = label_dataset(pictures, fast, num_proc=2)
    assert [faces[0]["age"] for faces in in_two["faces"]] == pytest.approx([fast(astronaut)[0].age] * 2, abs=1e-3)
