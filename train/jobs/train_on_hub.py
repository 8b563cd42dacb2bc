# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#     "datasets>=4.0",
#     "evaluate>=0.4.5",
#     "huggingface_hub>=0.34",
#     "jax>=0.6",
#     "jinja2>=3.1",
#     "keras>=3.10",
#     "matplotlib>=3.9",
#     "mtcnn>=1.0.0",
#     "numpy>=1.26",
#     "onnx>=1.17",
#     "onnxruntime>=1.22",
#     "opencv-python-headless>=4.10",
#     "pillow>=11",
#     "safetensors>=0.5",
#     "tensorboard>=2.19",
#     "tensorflow>=2.19",
# ]
# ///
"""Trains on a rented GPU, as a job of the Hub; `python -m train.jobs.launch` starts it there.

It runs alone (``hf jobs uv run``), so that it imports nothing of the project; the project's code comes from the branch
of the model repo that ``launch`` pushed it to, the faces from the private dataset repo. After every stage the run goes
back to that branch, so that a job that dies is gone on with by the next one; weights and figures follow at the end.
"""

import argparse
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError

CODE = "training/code.tar.gz"
RUN = "training/run"
# What of a run folder another job needs to go on, and people to read it.
RUN_FILES = ("run.json", "log.csv", "curves.png", "checkpoint/progress.json", "checkpoint/variables.npz")


def fetch(api: huggingface_hub.HfApi, repo: str, branch: str, work: pathlib.Path) -> None:
    """Unpacks the code of a branch into ``work``, and the run as far as it came."""
    with tarfile.open(api.hf_hub_download(repo, CODE, revision=branch)) as archive:
        archive.extractall(work, filter="data")
    for name in RUN_FILES:
        try:
            kept = api.hf_hub_download(repo, f"{RUN}/{name}", revision=branch)
        except EntryNotFoundError:
            continue
        target = work / "run" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept, target)


def push(api: huggingface_hub.HfApi, repo: str, branch: str, files: dict[str, pathlib.Path], message: str) -> None:
    """Commits files, by their path in the repo, to the branch: all of them or none."""
    there = {path: file for path, file in files.items() if file.is_file()}
    operations = [huggingface_hub.CommitOperationAdd(path, str(file)) for path, file in there.items()]
    api.create_commit(repo, operations, revision=branch, commit_message=message)
    print(f"Pushed {len(there)} files to {repo}, branch {branch}: {message}", flush=True)


def python(work: pathlib.Path, *arguments: str, backend: str) -> None:
    """Runs a module of the fetched code; a failure ends the job."""
    print("$ python", *arguments, flush=True)
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(work), "CI": "1"}
    if backend == "tensorflow":  # what measures the model is the shipped predictor, which needs no GPU
        environment["CUDA_VISIBLE_DEVICES"] = ""
    subprocess.run([sys.executable, *arguments], cwd=work, env=environment, check=True)


def stages(work: pathlib.Path, recipe: str) -> list[str]:
    """The names of a recipe's stages."""
    code = (
        f"import json; from train.recipe import load_recipe; print(json.dumps([s.name for s in "
        f"load_recipe({recipe!r}).stages]))"
    )
    environment = os.environ | {"PYTHONPATH": str(work)}
    result = subprocess.run([sys.executable, "-c", code], cwd=work, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(io.BytesIO(result.stdout).read().splitlines()[-1])


def stages_done(work: pathlib.Path) -> int:
    """How many stages the run has behind it."""
    progress = work / "run" / "checkpoint" / "progress.json"
    return json.loads(progress.read_text(encoding="utf-8"))["stage"] if progress.is_file() else 0


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--repo", required=True, help="the model's repo, USER/NAME")
    parser.add_argument("--branch", default="training")
    parser.add_argument("--data", required=True, help="the dataset's repo, or a folder")
    parser.add_argument(
        "--also", action="append", default=[], metavar="[NAME=]SET", help="a further set, see python -m train"
    )
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--backbone-weights", default="imagenet")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("work"))
    parser.add_argument("--smoke", action="store_true", help="every stage in minutes, on a few pictures")
    args = parser.parse_args(argv)
    work = args.work.expanduser().resolve()
    work.mkdir(parents=True, exist_ok=True)
    api = huggingface_hub.HfApi()
    fetch(api, args.repo, args.branch, work)
    train = ["-m", "train", "--recipe", args.recipe, "--data", args.data, "--out", "run"]
    train += ["--backbone-weights", args.backbone_weights, *(["--smoke"] if args.smoke else [])]
    train += [argument for place in args.also for argument in ("--also", place)]
    names = stages(work, args.recipe)
    for name in names[stages_done(work) :]:
        resume = ["--resume"] if (work / "run" / "checkpoint").is_dir() else []
        python(work, *train, *resume, "--last-stage", name, backend="jax")
        push(api, args.repo, args.branch, {f"{RUN}/{file}": work / "run" / file for file in RUN_FILES}, f"Stage {name}")
    python(work, "-m", "train.release.export", "run", backend="tensorflow")
    limit = ["--limit", "8", "--limit-changed", "8"] if args.smoke else []
    also = [argument for place in args.also for argument in ("--also", place)]
    python(work, "-m", "train.measure", "--data", args.data, *also, *limit, backend="tensorflow")
    results = [*(work / "hf_model").glob("*.json"), *(work / "hf_model").glob("*.safetensors")]
    results += (work / "train" / "shipped").rglob("*.*")
    push(api, args.repo, args.branch, {str(file.relative_to(work)): file for file in results}, "Weights and figures")


if __name__ == "__main__":
    main()
