"""What several rooms' tests share: a real photo, the committed model, made-up UTKFace files."""

import csv
import io
import os
import pathlib
import shutil
import subprocess

import PIL.Image
import pytest

# Read when huggingface_hub is imported: the local Hub of the tests speaks the plain LFS protocol.
os.environ["HF_HUB_DISABLE_XET"] = "1"

from tests.hub.server import HubServer
from tests.support import jpeg_bytes

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def astronaut() -> PIL.Image.Image:
    """A NASA photo in the public domain with one face, 512×512."""
    import skimage.data

    return PIL.Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def london() -> list[dict]:
    """The faces of people who may be shown: 102 adults, two photos each, with ``path``, ``age`` (years, None untold),
    ``gender``, ``person``, ``expression`` and ``ethnicity``. Source and credit: dataset_script/london/README.md."""
    folder = ROOT / "dataset_script" / "london"
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        row
        | {
            "path": folder / row["file_name"],
            "age": int(row["age"]) if row["age"] else None,
            "gender": int(row["gender"]),
        }
        for row in rows
    ]


@pytest.fixture(scope="session")
def predictor():
    """The committed model on Keras, the reference."""
    from hf_model import AgeGenderPredictor

    return AgeGenderPredictor.from_pretrained(ROOT / "hf_model", engine="keras")


@pytest.fixture(scope="session")
def utkface_dir() -> pathlib.Path:
    """The real UTKFace, where there is one."""
    for path in (os.environ.get("UTKFACE_DIR"), ROOT.parent / "shared" / "data" / "utkface"):
        if path and pathlib.Path(path).is_dir():
            return pathlib.Path(path)
    pytest.skip("the real UTKFace is not here: set UTKFACE_DIR to run this test")


@pytest.fixture
def make_utkface(tmp_path):
    """Writes made-up chips: ``make_utkface({"1_0_0_20170101000000000.jpg.chip.jpg": 7})``, name to seed or bytes."""

    def make(files: dict[str, int | bytes], folder: str = "UTKFace") -> pathlib.Path:
        target = tmp_path / folder
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (target / name).write_bytes(jpeg_bytes(content) if isinstance(content, int) else content)
        return target

    return make


@pytest.fixture
def hub(monkeypatch):
    """A local Hub, empty, with the users "user" (may write) and "reader"; the client's waits between retries cut
    short."""
    import huggingface_hub.utils._http as http

    monkeypatch.setattr(http.time, "sleep", lambda seconds: None)
    with HubServer() as server:
        yield server


@pytest.fixture
def api(hub):
    """The real client, as the user who may write."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=hub.url, token="hf_writer")


@pytest.fixture(scope="session")
def launch():
    """Starts Debian's Chromium, headless, with more arguments."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        yield lambda *arguments: playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", *arguments]
        )


@pytest.fixture(scope="session")
def browser(launch):
    """A browser for most tests."""
    running = launch()
    yield running
    running.close()


@pytest.fixture(scope="session")
def screenshot(root):
    """Takes a picture of the page into the ignored folder ``screenshots/``."""
    from tests.support import settle

    folder = root / "screenshots"
    folder.mkdir(exist_ok=True)

    def take(page, name: str, settled: bool = True):
        if settled:
            settle(page)
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return take


@pytest.fixture(scope="session")
def recorder(root, tmp_path_factory):
    """A library that records what a process and its children look up and connect to outside of this machine."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed, which the recorder of connections wants: apt-get install gcc")
    library = tmp_path_factory.mktemp("recorder") / "recorder.so"
    source = root / "tests" / "network" / "recorder.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture
def recorded(recorder, tmp_path):
    """A plain user's environment for a process that is recorded, and the lines that the record holds."""
    record = tmp_path / "network.txt"
    hidden = ("CI", "HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "MODEL_ID", "PYTHONPATH")
    hidden += ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    # Nothing said that telemetry is not wanted, and no earlier run left a file that says so.
    environment |= {"HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hf")}
    environment |= {"NETWORK_RECORD": str(record), "LD_PRELOAD": str(recorder), "TF_CPP_MIN_LOG_LEVEL": "3"}
    (tmp_path / "home").mkdir()

    def lines() -> list[str]:
        # ONNX Runtime gives the machine a name at once, and sends it only after seconds.
        kept = [f"wrote {path.relative_to(tmp_path)}" for path in (tmp_path / "home").rglob("deviceid")]
        return kept + (record.read_text().splitlines() if record.exists() else [])

    return environment, lines


@pytest.fixture
def camera(astronaut, tmp_path):
    """A video of the astronaut moving, as Chromium's fake camera plays it."""
    video = tmp_path / "camera.mjpeg"
    with video.open("wb") as file:
        for step in range(60):
            left = 30 + abs(step - 30)
            buffer = io.BytesIO()
            astronaut.crop((left, 0, left + 400, 300)).resize((640, 480)).save(buffer, "JPEG", quality=92)
            file.write(buffer.getvalue())
    return video
