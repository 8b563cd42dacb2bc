"""The job on a rented GPU is one file, started where nothing of this project is."""

import shutil
import subprocess
import sys

import pytest

from dataset_script.utkface import UTKFace
from tests.support import hub_environment
from train.curate.build_dataset import write_parquet
from train.jobs import launch


@pytest.mark.timeout(600)
def test_the_job_alone_in_an_empty_folder_reaches_its_first_stage(hub, api, root, make_utkface, tmp_path):
    builder = UTKFace(
        data_dir=str(make_utkface({f"{1 + i % 80}_{i % 2}_{i % 5}_20170101{i:09d}.jpg.chip.jpg": i for i in range(90)}))
    )
    builder.download_and_prepare()
    write_parquet(builder, tmp_path / "parquet")
    parquet = tmp_path / "parquet"
    hub.put("dataset", "user/utkface", {str(p.relative_to(parquet)): p.read_bytes() for p in parquet.rglob("*.*")})
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
    launch.push_code(api, "user/model", "training", launch.archive(clone))
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(root / "train" / "jobs" / "train_on_hub.py", alone)
    # Nothing is pushed after the first stage, so that the job ends there.
    hub.fail = lambda index, method, path: 403 if method == "POST" and "/commit/" in path else None
    # -I: neither this folder nor the checkout is on the path.
    arguments = ["--repo", "user/model", "--data", "user/utkface", "--recipe", "seed", "--backbone-weights", "none"]
    job = subprocess.run(
        [sys.executable, "-I", "train_on_hub.py", *arguments, "--smoke"],
        cwd=alone,
        env=hub_environment(hub, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Stage 1/2 heads" in job.stdout, job.stdout[-2000:] + job.stderr[-3000:]
    assert (alone / "work" / "run" / "checkpoint" / "variables.npz").is_file()
    assert "403" in job.stderr
