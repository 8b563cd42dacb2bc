"""The job on a rented GPU, on the processor against the local Hub: what is pushed, and that a job that died is gone on
with."""

import io
import json
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from dataset_script.utkface import UTKFace
from tests.support import hub_environment
from train.curate.build_dataset import write_parquet
from train.jobs import launch

SCRIPT = pathlib.Path(launch.__file__).with_name("train_on_hub.py")
UV = pathlib.Path(sys.executable).with_name("uv")
# As the Hub's job does, in an environment that uv makes from the script's head; else in this one.
RUN_SCRIPT = [str(UV), "run", "--quiet", "--script", str(SCRIPT)] if UV.is_file() else [sys.executable, str(SCRIPT)]


@pytest.fixture
def faces(make_utkface, astronaut):
    """Chips of the astronaut, each a little different, enough for every split."""
    files = {}
    for number in range(90):
        random = np.random.default_rng(number)
        left, top = random.integers(120, 180, 2).tolist()
        chip = astronaut.crop((left, top - 100, left + 150, top + 50)).resize((200, 200))
        noisy = np.asarray(chip).astype(int) + random.integers(-40, 41, (1, 1, 3))
        buffer = io.BytesIO()
        PIL.Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        files[f"{1 + number}_{number % 2}_{number % 5}_{20170101000000000 + number}.jpg.chip.jpg"] = buffer.getvalue()
    return make_utkface(files)


@pytest.fixture
def environment(hub, tmp_path):
    """Of a process that knows the local Hub as its user."""
    return hub_environment(hub, tmp_path)


@pytest.mark.timeout(1500)
def test_a_job_pushes_after_every_stage_and_the_next_one_goes_on(hub, api, root, faces, environment, tmp_path):
    builder = UTKFace(data_dir=str(faces))
    builder.download_and_prepare()
    write_parquet(builder, tmp_path / "parquet")
    data = {str(p.relative_to(tmp_path / "parquet")): p.read_bytes() for p in (tmp_path / "parquet").rglob("*.*")}
    hub.put("dataset", "user/utkface", data)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
    launch.push_code(api, "user/model", "training", launch.archive(clone))

    def job(work: str) -> subprocess.CompletedProcess:
        arguments = ["--repo", "user/model", "--data", "user/utkface", "--recipe", "seed", "--backbone-weights", "none"]
        command = [*RUN_SCRIPT, *arguments, "--smoke", "--work", str(tmp_path / work)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    commits = []

    def fail(index, method, path):
        if method == "POST" and "/commit/" in path:
            commits.append(path)
            return 403 if len(commits) == 2 else None
        return None

    hub.fail = fail  # the first job dies when it pushes its second stage
    died = job("first")
    assert died.returncode != 0
    kept = hub.files("model", "user/model", "training")
    assert json.loads(kept["training/run/checkpoint/progress.json"])["stage"] == 1
    assert "training/run/checkpoint/variables.npz" in kept
    second = job("second")
    assert second.returncode == 0, second.stderr[-3000:]
    assert second.stdout.count("-m train --recipe") == 1  # the second stage alone
    done = hub.files("model", "user/model", "training")
    assert {
        "hf_model/model.safetensors",
        "hf_model/metrics.json",
        "hf_model/config.json",
        "train/shipped/01-seed/run.json",
    } <= set(done)
    metrics = json.loads(done["hf_model/metrics.json"])
    assert metrics["overall"]["age_mae"]["n"] > 0
    log = done["training/run/log.csv"].decode()
    assert log.count("\n") == 1 + 4  # two epochs of each of the two stages


def test_what_is_not_committed_is_not_launched(root, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
    (clone / "train" / "extra.py").write_text("")
    with pytest.raises(launch.LaunchError, match=r"Not committed.*train/extra\.py"):
        launch.archive(clone)
    with pytest.raises(launch.LaunchError, match="packed by git"):
        launch.archive(tmp_path)


def test_launching_starts_the_script_with_the_token_as_a_secret(hub, monkeypatch, capsys):
    import huggingface_hub

    started = []
    monkeypatch.setattr(launch, "archive", lambda: b"code")
    monkeypatch.setattr(
        huggingface_hub.HfApi, "run_uv_job", lambda self, script, **options: started.append((script, options)) or JOB
    )
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
    real = huggingface_hub.HfApi
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: real(endpoint=hub.url, token="hf_writer"))
    arguments = ["--repo", "user/model", "--data", "user/utkface", "--flavor", "t4-small"]
    assert launch.main([*arguments, "--only-push"]) == 0
    assert "hf jobs uv run --flavor t4-small" in capsys.readouterr().out
    assert not started
    assert launch.main(arguments) == 0
    ((script, options),) = started
    assert script.endswith("train_on_hub.py")
    assert options["secrets"] == {"HF_TOKEN": "hf_writer"}
    assert "hf_writer" not in capsys.readouterr().out
    assert hub.files("model", "user/model", "training")["training/code.tar.gz"] == b"code"


class JOB:
    url = "https://example.invalid/job"
