"""What a release of the model, the Space or the dataset holds, and the checks it must pass before a push.

Nothing here talks to the Hub; :mod:`train.release.publish` does.
"""

import dataclasses
import fnmatch
import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable

import huggingface_hub
import safetensors.numpy
from huggingface_hub.utils.sha import git_hash

from hf_model.download import CONFIG_NAME, SMALL_FILES, WEIGHTS_NAME, file_sha256
from hf_model.network.engines import graph_files
from hf_model.network.heat_maps import is_dense
from hf_model.network.weights import read_tensors
from hf_model.settings import Settings
from train.release.card import plots_in, render_card
from train.release.package_files import PACKAGE_LIST, package_list
from train.release.terms import with_terms

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRICS_NAME = "metrics.json"
CARD_NAME = "README.md"
# What a published repo may hold. A file of another name in the folder stops the release.
MODEL_FILES = (
    CONFIG_NAME,
    WEIGHTS_NAME,
    METRICS_NAME,
    "preprocessor_config.json",
    graph_files.RANGES,
    *SMALL_FILES,
    "LICENSE.md",
    "requirements.txt",
    "notebook.ipynb",
    "*.py",
    "pictures/*.py",
    "faces/*.py",
    "network/*.py",
    "network/engines/*.py",
    "network/mtcnn/*.py",
    "bulk/*.py",
    "plots/*.png",
)
SPACE_FILES = (
    "*.py",
    "page.js",
    "words.json",
    "look.json",
    "look.css",
    "requirements.txt",
    "picture.png",
    CARD_NAME,
    "examples/*",
)
BROWSER_FILES = ("*.html", "*.css", "*.js", "*.svg", "*.webmanifest", "*.json", "*.md", "js/*.js", "ort/*", "model/*")
DATASET_FILES = ("data/*.parquet", "skipped.csv", CARD_NAME)
BENCHMARK_FILES = ("*.webp", "metadata.csv", CARD_NAME)
SCRIPT_FILES = ("utkface.py", "duplicate_groups.csv", CARD_NAME)
PICTURE = "picture.png"
SOURCE_NAME = "source.json"  # of every published repo: the commit that it was made from
APACHE = ROOT / "LICENSE"
OPEN_DATASETS = ["HuggingFaceM4/FairFace"]  # of those that trained the model, what every visitor can open
# What a free account may host a Gradio Space on, by the Hub's documentation of August 2026.
ZERO_GPU, ZERO_GPU_HARDWARE, ZERO_GPU_PYTHON = "zero-gpu", "zero-a10g", "3.12.12"
ZERO_GPU_REQUIREMENTS = "spaces==0.51.3\ntorch==2.11.0\n"
APACHE_BESIDE = "LICENSE-APACHE-2.0.txt"  # where another licence is the repo's own
CLOSED_AFTER = "Educational only."
CLOSED_SPACE = (
    "\n\n**It needs a token:** the model {model_repo} is gated or private, so set the Space's secret `HF_TOKEN` to a "
    "read token of "
    "a user who may read it. Without it the page says so.\n\n"
)
IGNORED_FOLDERS = frozenset({"__pycache__"})
IGNORED_SUFFIXES = {".pyi"}  # Gradio writes one beside the app's code
# Predicts from a copy of the folder alone, in a process that knows nothing of the project.
ALONE = """
import sys, numpy
from hf_model import AgeGenderPredictor
predictor = AgeGenderPredictor.from_pretrained("hf_model")
chip = numpy.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=numpy.uint8)
(face,) = predictor(chip, faces="none")
assert face.age >= 0 and 0 <= face.female_probability <= 1, face
assert predictor(numpy.full((64, 64, 3), 255, numpy.uint8)) == []
"""


class ReleaseError(Exception):
    """A release that must not go out; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Release:
    """The whole content of one branch of one repo.

    ``kind``: ``"model"``, ``"space"`` or ``"dataset"``; ``repo``: ``"user/name"``; ``version``:
    ``"X.Y.Z"``; ``files``: path in the repo to bytes or a local file; ``branch``: the branch they go
    to; ``tag``: the tag that names the commit, or None.
    """

    kind: str
    repo: str
    version: str
    files: dict[str, bytes | pathlib.Path]
    branch: str = "main"
    tag: str | None = None
    sdk: str | None = None  # of a Space

    def size(self, path: str) -> int:
        """Bytes of one file."""
        content = self.files[path]
        return len(content) if isinstance(content, bytes) else content.stat().st_size

    def sha256(self, path: str) -> str:
        """sha256 of one file, as Git LFS names it."""
        content = self.files[path]
        return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else file_sha256(content)

    def git_oid(self, path: str) -> str:
        """The name that Git gives a file's content."""
        content = self.files[path]
        data = content if isinstance(content, bytes) else content.read_bytes()
        return git_hash(data)


def check_version(version: str) -> str:
    """The version as given.

    Raises:
        ReleaseError: it is not of the form X.Y.Z.
    """
    if not re.fullmatch(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", version):
        raise ReleaseError(f"--version {version!r} is not of the form X.Y.Z, such as 0.2.0.")
    return version


def list_files(
    folder: pathlib.Path, allowed: tuple[str, ...], apart: frozenset[str] = IGNORED_FOLDERS
) -> dict[str, bytes | pathlib.Path]:
    """The files of a folder by their path in the repo, without those in folders that are ``apart``.

    Raises:
        ReleaseError: the folder is missing, or holds a file that is not on the allow-list.
    """
    if not folder.is_dir():
        raise ReleaseError(f"{folder} does not exist.")
    files: dict[str, bytes | pathlib.Path] = {}
    for path in sorted(folder.rglob("*")):
        ignored = path.suffix in IGNORED_SUFFIXES or apart & set(path.relative_to(folder).parts)
        if path.is_dir() or ignored:
            continue
        name = path.relative_to(folder).as_posix()
        if not any(fnmatch.fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in allowed):
            raise ReleaseError(
                f"{path} is not a file that is published ({', '.join(allowed)}). Move it away, or add it to the "
                "allow-list in train/release/contents.py."
            )
        files[name] = path
    return files


def model_release(
    repo: str,
    version: str,
    folder: pathlib.Path = pathlib.Path("hf_model"),
    card: pathlib.Path | None = None,
    gated: bool = False,
) -> Release:
    """The model repo's content: the folder, and the card as README.md.

    Args:
        gated: the card asks whoever wants the files to accept the weights' terms (the repo's settings gate them).

    Raises:
        ReleaseError: the parts do not belong together, see :func:`check_model`.
    """
    files = list_files(folder, MODEL_FILES)
    text = check_model(folder, version, card or folder.parent / "MODEL_CARD.md")
    text = text.replace("user/repo", repo).replace("(hf_model/plots/", "(plots/")
    files[CARD_NAME] = (with_terms(text) if gated else text).encode()
    if "notebook.ipynb" in files:
        notebook = (folder / "notebook.ipynb").read_text(encoding="utf-8")
        files["notebook.ipynb"] = notebook.replace("user/repo", repo).encode()
    files[PACKAGE_LIST] = package_list(files)
    files |= graphs(folder) | {f"{graph_files.GRAPHS}/detector/LICENSE-MTCNN.txt": detector_licence()}
    files |= {APACHE_BESIDE: APACHE, SOURCE_NAME: source_of(version)}
    return Release("model", repo, version, files, tag=f"v{version}")


def changed_files(root: pathlib.Path = ROOT) -> list[str]:
    """What of the checkout is not committed; nothing where there is no git."""
    return [line[3:] for line in (_git(root, "status", "--porcelain") or "").splitlines()]


def source_of(version: str, root: pathlib.Path = ROOT) -> bytes:
    """The content of ``source.json``: the version, the commit that it is made from, and what was not committed then."""
    commit = (_git(root, "rev-parse", "HEAD") or "").strip() or None
    return (
        json.dumps({"version": version, "commit": commit, "uncommitted": changed_files(root)}, indent=1) + "\n"
    ).encode()


def _git(root: pathlib.Path, *arguments: str) -> str | None:
    """What git says, None where there is no git or no repository."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def detector_licence() -> bytes:
    """The licence of the ``mtcnn`` package, whose weights the detector's graphs are.

    Raises:
        ReleaseError: the package does not hold it.
    """
    files = importlib.metadata.files("mtcnn") or ()
    found = next((file for file in files if file.name.startswith("LICENSE")), None)
    if found is None:
        raise ReleaseError("The installed package mtcnn lacks its licence, which its weights must go out with.")
    head = "The detector's graphs hold the weights of the Python package mtcnn, under this licence:\n\n"
    return head.encode() + found.read_binary()


def graphs(folder: pathlib.Path) -> dict[str, bytes | pathlib.Path]:
    """The graphs of the fast engines, by their path in the repo, so that whoever pulls need not build them."""
    settings = Settings.load(folder)
    precisions = ["float32", *(["int8"] if (folder / graph_files.RANGES).is_file() else [])]
    paths = [graph_files.network_file(settings, folder, precision) for precision in precisions]
    of_weights = file_sha256(folder / WEIGHTS_NAME)
    built_from = {"format": graph_files.FORMAT} | {path.name: of_weights for path in paths}
    files: dict[str, bytes | pathlib.Path] = {f"{graph_files.GRAPHS}/{path.name}": path for path in paths}
    files |= {f"{graph_files.GRAPHS}/detector/{name}.onnx": path for name, path in graph_files.detector_files().items()}
    tensors = read_tensors(folder / WEIGHTS_NAME)
    heads = {name: values for name, values in tensors.items() if is_dense(name)}
    files[f"{graph_files.GRAPHS}/{graph_files.HEADS_NAME}"] = safetensors.numpy.save(heads)
    return files | {f"{graph_files.GRAPHS}/{graph_files.STAMP}": json.dumps(built_from, indent=2).encode()}


def check_model(folder: pathlib.Path, version: str, card: pathlib.Path) -> str:
    """Checks a model folder as a whole and returns its card's text.

    Raises:
        ReleaseError: a part is missing; the version, the figures or the card belong to another
            state; or the folder alone does not predict.
    """
    for name in (CONFIG_NAME, WEIGHTS_NAME, METRICS_NAME):
        if not (folder / name).is_file():
            raise ReleaseError(f"{folder / name} is missing: train, then `make evaluate`.")
    settings = Settings.load(folder)
    if settings.model_version != version:
        raise ReleaseError(
            f"{folder / CONFIG_NAME} says model_version {settings.model_version!r}, --version says {version!r}. "
            "Set model_version to the version that is to go out."
        )
    metrics = json.loads((folder / METRICS_NAME).read_text(encoding="utf-8"))
    if metrics.get("weights_sha256") != file_sha256(folder / WEIGHTS_NAME):
        raise ReleaseError(
            f"{folder / METRICS_NAME} was measured on other weights than {folder / WEIGHTS_NAME}: run `make evaluate`."
        )
    text = render_card(metrics, settings, plots_in(folder))
    if not card.is_file() or card.read_text(encoding="utf-8") != text:
        raise ReleaseError(f"{card} is not what metrics.json gives: run `make card` and commit it.")
    check_predicts_alone(folder)
    return text


def check_predicts_alone(folder: pathlib.Path) -> None:
    """Loads the weights strictly and predicts, from a copy of the folder, in a fresh process.

    Raises:
        ReleaseError: it does not; the message has the last line of what it said.
    """
    with tempfile.TemporaryDirectory() as elsewhere:
        copy = pathlib.Path(elsewhere) / "hf_model"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*IGNORED_FOLDERS))
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "KERAS_BACKEND")}
        command = [sys.executable, "-c", ALONE]
        result = subprocess.run(
            command, cwd=elsewhere, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
        )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise ReleaseError(f"A copy of {folder} does not predict by itself: {last}")


def space_release(
    repo: str,
    version: str,
    model_repo: str,
    model_revision: str,
    folder: pathlib.Path = pathlib.Path("space"),
    endpoint: str = "https://huggingface.co",
    closed: bool = False,
    hardware: str | None = None,
    model_files: Iterable[str] = (),
) -> Release:
    """The Space's content, its front matter naming the model repo and the revision that it shows.

    Args:
        endpoint: of the Hub, for the address of the picture that links to the Space show.
        closed: the model is gated or private, so that the Space needs a token, and its card says so.
        hardware: :data:`ZERO_GPU`, or None, what the account can have.
        model_files: of the model's revision, which the Space's image is built with.
    """
    files = list_files(folder, SPACE_FILES, IGNORED_FOLDERS | {"browser"})
    card = huggingface_hub.SpaceCard((folder / CARD_NAME).read_text(encoding="utf-8"))
    card.data["models"] = [model_repo]
    card.data["model_revision"] = model_revision
    card.data["space_version"] = version
    if closed:  # nor could the image be built with it: a build has no token
        card.text = card.text.replace(CLOSED_AFTER, CLOSED_AFTER + CLOSED_SPACE.format(model_repo=model_repo), 1)
    else:
        # Into the Space's image, so that no start waits for it: at the revision that the page asks for, where the
        # Hub wants the files named.
        names = ",".join(sorted(model_files))
        card.data["preload_from_hub"] = [f"{model_repo} {names} {model_revision}" if names else model_repo]
    if hardware == ZERO_GPU:
        card.data["python_version"], card.data["suggested_hardware"] = ZERO_GPU_PYTHON, ZERO_GPU_HARDWARE
        wanted = (folder / "requirements.txt").read_text(encoding="utf-8")
        files["requirements.txt"] = (wanted + ZERO_GPU_REQUIREMENTS).encode()
    card.data["datasets"] = OPEN_DATASETS
    if PICTURE in files:
        card.data["thumbnail"] = f"{endpoint}/spaces/{repo}/resolve/main/{PICTURE}"
    card.text = card.text.replace("user/space", repo)
    files |= {CARD_NAME: str(card).encode(), "LICENSE": APACHE, SOURCE_NAME: source_of(version)}
    return Release("space", repo, version, files, tag=f"v{version}", sdk="gradio")


def browser_release(
    repo: str, version: str, model_repo: str, model_revision: str, folder: pathlib.Path = pathlib.Path("build/browser")
) -> Release:
    """The static page's content, as :mod:`train.release.browser` wrote it, its front matter naming the model that is in
    it."""
    files = list_files(folder, BROWSER_FILES)
    card = huggingface_hub.SpaceCard((folder / CARD_NAME).read_text(encoding="utf-8"))
    card.data["models"] = [model_repo]
    card.data["model_revision"] = model_revision
    card.data["space_version"] = version
    files |= {CARD_NAME: str(card).encode(), APACHE_BESIDE: APACHE, SOURCE_NAME: source_of(version)}
    files["model/LICENSE-MTCNN.txt"] = detector_licence()
    return Release("space", repo, version, files, tag=f"v{version}", sdk="static")


def benchmark_release(repo: str, version: str, folder: pathlib.Path = pathlib.Path("dataset_script/london")) -> Release:
    """The faces that may be shown, as an open dataset."""
    files = list_files(folder, BENCHMARK_FILES)
    card = (folder / CARD_NAME).read_text(encoding="utf-8").replace("user/open-faces", repo)
    return Release(
        "dataset", repo, version, files | {CARD_NAME: card.encode(), SOURCE_NAME: source_of(version)}, tag=f"v{version}"
    )


def dataset_release(repo: str, version: str, folder: pathlib.Path = pathlib.Path("build/utkface")) -> Release:
    """The dataset's content as ``make data`` wrote it: Parquet that every version of datasets reads."""
    if not folder.is_dir():
        raise ReleaseError(f"{folder} does not exist: run `make data DATA_DIR=...` first, or pass --dataset-folder.")
    files = list_files(folder, DATASET_FILES) | {SOURCE_NAME: source_of(version)}
    return Release("dataset", repo, version, files, tag=f"v{version}")


def script_release(repo: str, version: str, folder: pathlib.Path = pathlib.Path("dataset_script")) -> Release:
    """The loading script for datasets 3.x, on a branch of its own: beside Parquet it is refused by datasets 4."""
    names = [pathlib.PurePosixPath(name) for name in SCRIPT_FILES]
    files: dict[str, bytes | pathlib.Path] = {str(name): folder / name for name in names}
    for path in files.values():
        if isinstance(path, pathlib.Path) and not path.is_file():
            raise ReleaseError(f"{path} is missing.")
    # Its card must not send readers to Parquet files that this branch does not hold.
    card = huggingface_hub.DatasetCard((folder / CARD_NAME).read_text(encoding="utf-8"))
    for key in ("configs", "dataset_info"):
        card.data.__dict__.pop(key, None)
    files |= {CARD_NAME: str(card).encode(), APACHE_BESIDE: APACHE, SOURCE_NAME: source_of(version)}
    return Release("dataset", repo, version, files, branch="script")
