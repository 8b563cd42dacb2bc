import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest


@pytest.fixture(scope="session")
def space_url(root, tmp_path_factory):
    """The Space, started as `make demo` does, on a free port, without network or token."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("space") / "log.txt"
    environment = {
        **os.environ, "GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("uploads")),
    }  # fmt: skip
    for name in ("MODEL_ID", "HF_TOKEN", "PYTHONPATH"):
        environment.pop(name, None)
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "space/app.py"], cwd=root, env=environment, stdout=file, stderr=file
        )
    url = f"http://127.0.0.1:{port}"
    for _ in range(480):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.25)
    else:
        pytest.fail(f"the Space did not answer: {log.read_text()}")
    yield url
    process.terminate()
    process.wait()
