"""The static page with everything that it needs: `python -m train.release.browser [--out build/browser] [--serve
PORT]`.

Every constant of the Python code that the page's JavaScript computes with goes into one generated ``constants.json``,
beside the graphs, ONNX Runtime's WebAssembly from the npm registry, and the files of ``space/browser/``.
"""

import argparse
import contextlib
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

import numpy as np

from hf_model.console import expanded_path
from hf_model.download import file_sha256
from hf_model.network import familiarity
from hf_model.network.engines import graph_files
from hf_model.network.engines.graph_files import weights_identity
from hf_model.settings import Settings
from train.release.browser_constants import constants_of
from train.release.browser_server import serve

RUNTIME = "onnxruntime-web@1.30.0"
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
LICENCE = pathlib.Path(__file__).with_name("onnxruntime_licence.txt")
PAGE = pathlib.Path("space/browser")
SOURCES = ("index.html", "page.css", "sw.js", "icon.svg", "manifest.webmanifest", "README.md", "js/*.js")


def fetch_runtime(out: pathlib.Path, cache: pathlib.Path = pathlib.Path("build/npm")) -> None:
    """ONNX Runtime Web from the npm registry, at its pinned version, with its licence.

    Raises:
        ValueError: npm is missing, or the registry cannot be reached.
    """
    name, version = RUNTIME.rsplit("@", 1)
    package = cache / f"{name}-{version}.tgz"
    if not package.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        try:
            command = ["npm", "pack", RUNTIME, "--silent", "--pack-destination", str(cache)]
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            told = getattr(error, "stderr", None) or error
            raise ValueError(
                f"{RUNTIME} could not be fetched with npm ({str(told).strip()}). Install Node.js, or try again."
            ) from None
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(package) as packed:
        for wanted in RUNTIME_FILES:
            member = packed.extractfile(f"package/dist/{wanted}")
            assert member is not None
            (out / wanted).write_bytes(member.read())
        told = json.load(packed.extractfile("package/package.json"))  # type: ignore[arg-type]
    licence = (
        f"{told['name']} {told['version']}, {told['license']} licence, {told['author']}: {told['repository']['url']}\n"
    )
    (out / "LICENSE.txt").write_text(licence + LICENCE.read_text(encoding="utf-8"), encoding="utf-8")


def write_page(
    out: pathlib.Path,
    folder: pathlib.Path = pathlib.Path("hf_model"),
    page: pathlib.Path = PAGE,
    model: dict | None = None,
) -> dict:
    """Writes the whole page to a folder; its constants.

    Args:
        out: the folder, written anew.
        folder: of the model.
        page: of the page's sources, beside which its words and its look lie.
        model: where the model comes from, ``{"repo", "revision"}``; None for one of this folder alone.

    Raises:
        ValueError: something that it is made of is missing.
    """
    if out.exists():
        shutil.rmtree(out)
    for pattern in SOURCES:
        for path in sorted(page.glob(pattern)):
            target = out / path.relative_to(page)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    fetch_runtime(out / "ort")
    files = out / "model"
    files.mkdir()
    shutil.copyfile(graph_files.network_file(Settings.load(folder), folder, "int8"), files / "network.onnx")
    for name, path in graph_files.detector_files(folder).items():
        shutil.copyfile(path, files / f"{name}.onnx")
    known = familiarity.Familiarity.load(folder)
    words = json.loads((page.parent / "words.json").read_text(encoding="utf-8"))
    shutil.copyfile(folder / "LICENSE.md", out / "LICENSE.md")
    constants = constants_of(folder, words) | {
        "model": {**(model or {}), "weights_sha256": weights_identity(folder, "int8")}
    }
    assert known is not None  # constants_of says so
    np.concatenate([known.mean.ravel(), known.components.ravel()]).astype("<f4").tofile(files / "familiarity.f32")
    paths = {
        "network": "model/network.onnx",
        **{name: f"model/{name}.onnx" for name in graph_files.DETECTOR},
        "familiarity": "model/familiarity.f32",
        "runtime": f"ort/{RUNTIME_FILES[-1]}",
    }
    constants["files"] = {
        name: {"path": path, "sha256": file_sha256(out / path), "bytes": (out / path).stat().st_size}
        for name, path in paths.items()
    }
    _write_look(out / "look.css", page.parent / "look.json")
    constants["first_bytes"] = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    text = json.dumps(constants, ensure_ascii=False)
    (out / "constants.json").write_text(text, encoding="utf-8")
    _write_shell(out)
    return constants


def _write_shell(out: pathlib.Path) -> None:
    """``shell.js``: the files that the service worker keeps at the first visit, the model's own apart, and their
    version."""
    apart = {"sw.js", "shell.js", "LICENSE.md", "README.md"}
    paths = [path.relative_to(out).as_posix() for path in sorted(out.rglob("*")) if path.is_file()]
    files = [
        path
        for path in paths
        if path not in apart and not path.startswith("model/") and not path.endswith((".wasm", ".txt"))
    ]
    version = hashlib.sha256("".join(file_sha256(out / path) for path in files).encode()).hexdigest()[:16]
    shell = {"version": version, "files": ["./", *files]}
    (out / "shell.js").write_text(f"const shell = {json.dumps(shell)};\n", encoding="utf-8")


def _write_look(path: pathlib.Path, table: pathlib.Path) -> None:
    """The look's values as custom properties of both themes."""
    look = json.loads(table.read_text(encoding="utf-8"))

    def properties(theme: int) -> str:
        return " ".join(f"--{name}: {one if isinstance(one, str) else one[theme]};" for name, one in look.items())

    path.write_text(
        (
            f":root {{ color-scheme: light dark; {properties(0)} }}\n@media (prefers-color-scheme: dark) {{ :root {{ "
            f"{properties(1)} }} }}\n"
        ),
        encoding="utf-8",
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.release.browser", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--out", type=expanded_path, default=pathlib.Path("build/browser"))
    parser.add_argument("--model", type=expanded_path, default=pathlib.Path("hf_model"))
    parser.add_argument("--serve", type=int, metavar="PORT", help="then serve it on this machine")
    args = parser.parse_args(argv)
    try:
        constants = write_page(args.out, args.model)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"No page: {error}")
    digest = file_sha256(args.out / "constants.json")
    print(
        f"Wrote {args.out}: model {constants['version']}, {constants['first_bytes'] / 1e6:.1f} MB, constants "
        f"{digest[:12]}"
    )
    if args.serve:
        with serve(args.out, args.serve) as server:
            print(f"The page: http://127.0.0.1:{args.serve} (Ctrl-C ends it)", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()


if __name__ == "__main__":
    main()
