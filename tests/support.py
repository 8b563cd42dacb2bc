"""What tests make their data with, and how they start scripts and the Space."""

import contextlib
import io
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import PIL.Image

# Of a prediction as a dict, which programs read.
PREDICTION_KEYS = (
    "age",
    "age_interval",
    "gender",
    "female_probability",
    "box",
    "detection_score",
    "rotation",
    "quality",
    "warnings",
)


def jpeg_bytes(seed: int, side: int = 64) -> bytes:
    """A smooth random picture as JPEG; another seed is another picture."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(small).resize((side, side), PIL.Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def published_files(root: pathlib.Path) -> dict[str, bytes]:
    """The model folder as a repo holds it, by path: all its files, and the list of those of its package."""
    from train.release.package_files import PACKAGE_LIST, package_list

    folder = root / "hf_model"
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return files | {PACKAGE_LIST: package_list(files)}


def hub_environment(hub, folder: pathlib.Path) -> dict[str, str]:
    """Of a process that knows the local Hub as the user who may write, and keeps what it pulls in ``folder``."""
    return os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "hf_writer",
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def run_script(code: str, *arguments, folder: pathlib.Path, environment: dict[str, str]) -> str:
    """What Python code prints in a fresh process started in ``folder``; a failure shows what it said."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def json_offline(code: str, folder: pathlib.Path):
    """The JSON that a script prints last in ``folder``, where it knows neither the project nor a Hub."""
    environment = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    return last_json(run_script(code, folder=folder, environment=environment))


def last_json(output: str):
    """The JSON in the last line of a script's output."""
    return json.loads(output.strip().splitlines()[-1])


@contextlib.contextmanager
def running_space(
    folder: pathlib.Path, environment: dict[str, str], wait_s: float = 180, log: pathlib.Path | None = None
):
    """``space/app.py`` under ``folder``, started on a free port; gives its URL.

    Args:
        folder: where ``space/`` lies; also the working directory.
        environment: of the process; the port is set here.
        wait_s: seconds to wait for the first answer.
        log: where all that it prints is written when it has ended.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**environment, "GRADIO_SERVER_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "space/app.py"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + wait_s
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < end, "the Space did not answer"
                time.sleep(0.25)
        yield url
    finally:
        process.terminate()
        printed, _ = process.communicate(timeout=30)
        if log is not None:
            log.write_text(printed, encoding="utf-8")


def settle(page):
    """Waits until nothing is faded: Gradio shows an answer at a fifth of its opacity until the request has ended."""
    page.wait_for_function(
        "!document.querySelector('.pending') && document.getAnimations().every("
        "a => a.playState !== 'running' || a.effect.getTiming().iterations === Infinity)",
        timeout=60_000,
    )
