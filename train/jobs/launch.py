"""Starts a training on a rented GPU: `python -m train.jobs.launch --repo USER/MODEL --data USER/utkface --flavor
a10g-small`.

What the job needs and no package index holds, this project's code as it is committed, goes to a branch of the model
repo; then ``hf jobs`` runs ``train_on_hub.py`` there. Started again after a job died, it goes on from the last stage
that was pushed. The token comes from ``HF_TOKEN`` or the stored login.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError

from train.jobs.train_on_hub import CODE

SCRIPT = pathlib.Path(__file__).with_name("train_on_hub.py")
ROOT = SCRIPT.parents[2]
FOLDERS = ("train", "hf_model", "dataset_script")
WEIGHTS = "hf_model/model.safetensors"  # the job makes its own
ON_GPU = "jax[cuda12]"


class LaunchError(Exception):
    """A job that cannot be started; the message says why and what to do."""


def archive(root: pathlib.Path = ROOT) -> bytes:
    """The committed code that a job needs, as a ``.tar.gz``.

    Raises:
        LaunchError: something of it is not committed, or there is no git.
    """
    try:
        changed = _git(root, "status", "--porcelain", "--", *FOLDERS).decode().strip()
        if changed:
            raise LaunchError(f"Not committed, so the job would not have it: {'; '.join(changed.splitlines()[:5])}.")
        return _git(root, "archive", "--format=tar.gz", "HEAD", *FOLDERS, f":!{WEIGHTS}")
    except (OSError, subprocess.CalledProcessError) as error:
        raise LaunchError(f"The code is packed by git, from a checkout: {error}.") from error


def _git(root: pathlib.Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, stdout=subprocess.PIPE).stdout


def push_code(api: huggingface_hub.HfApi, repo: str, branch: str, code: bytes) -> str:
    """Puts the code on a branch of the model repo, which is created (private) where it is missing; the commit's id."""
    api.create_repo(repo, private=True, exist_ok=True)
    api.create_branch(repo, branch=branch, exist_ok=True)
    operation = huggingface_hub.CommitOperationAdd(CODE, code)
    return api.create_commit(repo, [operation], revision=branch, commit_message="Code for a training").oid


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.jobs.launch", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--repo", required=True, help="the model's repo, USER/NAME")
    parser.add_argument(
        "--data", required=True, help="the private dataset's repo, as `make publish WHAT=dataset` made it"
    )
    parser.add_argument(
        "--also", action="append", default=[], metavar="[NAME=]REPO", help="a further set's repo, see python -m train"
    )
    parser.add_argument("--branch", default="training", help="of the model repo (default: training)")
    parser.add_argument("--recipe", default="best")
    parser.add_argument("--flavor", default="a10g-small", help="what to rent, see `hf jobs hardware`")
    parser.add_argument("--timeout", default="12h")
    parser.add_argument("--smoke", action="store_true", help="try the way, in minutes")
    parser.add_argument(
        "--only-push", action="store_true", help="push the code, and print the command that starts the job"
    )
    args = parser.parse_args(argv)
    api = huggingface_hub.HfApi()
    script_args = ["--repo", args.repo, "--branch", args.branch, "--data", args.data, "--recipe", args.recipe]
    script_args += [argument for place in args.also for argument in ("--also", place)]
    script_args += ["--smoke"] if args.smoke else []
    try:
        oid = push_code(api, args.repo, args.branch, archive())
        print(f"The code is on {args.repo}, branch {args.branch} ({oid[:8]}).")
        command = ["hf", "jobs", "uv", "run", "--flavor", args.flavor, "--timeout", args.timeout]
        command += ["--secrets", "HF_TOKEN", "--with", ON_GPU, str(SCRIPT), *script_args]
        print(f"The job: {shlex.join(command)}")
        if args.only_push:
            return 0
        token = api.token or huggingface_hub.get_token()
        job = api.run_uv_job(
            str(SCRIPT),
            script_args=script_args,
            dependencies=[ON_GPU],
            flavor=args.flavor,
            timeout=args.timeout,
            secrets={"HF_TOKEN": token},
        )
        print(f"Started: {job.url}")
    except (LaunchError, HfHubHTTPError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
