"""The static page with everything that it needs: `python -m train.release.browser [--out build/browser] [--serve PORT]`.

Every constant of the Python code that the page's JavaScript computes with goes into one generated ``constants.json``, beside the
graphs, ONNX Runtime's WebAssembly from the npm registry, and the files of ``space/browser/``.
"""

import argparse
import contextlib
import functools
import hashlib
import http.server
import inspect
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

import numpy as np

from hf_model import calibration, tracking
from hf_model.console import expanded_path
from hf_model.download import file_sha256
from hf_model.faces import detector, face, quality
from hf_model.network import cascade, familiarity, graph_files, preprocessing
from hf_model.network.graph_files import weights_identity
from hf_model.pictures import alignment
from hf_model.settings import Settings, as_json

RUNTIME = "onnxruntime-web@1.30.0"
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
PAGE = pathlib.Path("space/browser")
SOURCES = ("index.html", "page.css", "sw.js", "icon.svg", "manifest.webmanifest", "README.md", "js/*.js")
FACTORS = ("age", "race", "gender")
HEADERS = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}  # for threads
LARGEST_BYTES = 20_000_000
# A WebAssembly module of one SIMD instruction, which a browser without SIMD refuses.
SIMD_PROBE = [
    0,
    97,
    115,
    109,
    1,
    0,
    0,
    0,
    1,
    5,
    1,
    96,
    0,
    1,
    123,
    3,
    2,
    1,
    0,
    10,
    10,
    1,
    8,
    0,
    65,
    0,
    253,
    15,
    253,
    98,
    11,
]


def constants_of(folder: pathlib.Path, words: dict) -> dict:
    """Every constant that the JavaScript computes or speaks with, from the Python code and the model folder."""
    settings, metrics = Settings.load(folder), json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    known = familiarity.Familiarity.load(folder)
    if known is None or settings.calibration is None:
        raise ValueError(f"{folder} has no familiarity or calibration: run make evaluate first.")
    limits = {name: one.default for name, one in inspect.signature(cascade.Cascade.detect_faces).parameters.items()
              if name.startswith("threshold_")}  # fmt: skip
    wanted = ("detection", "crop", "input", "decision", "quality", "calibration", "heads")
    return {
        "version": settings.model_version,
        "config": {name: as_json(getattr(settings, name)) for name in wanted},
        "imagenet_means": preprocessing.IMAGENET_MEANS.tolist(),
        "cascade": {"smallest_side": cascade.SMALLEST_SIDE, "stride": cascade.STRIDE, "scale_factor": cascade.SCALE_FACTOR,
                    "patches_at_once": cascade.PATCHES_AT_ONCE},
        "detector": {"largest_safe_face": detector.LARGEST_SAFE_FACE, "landmark_input": detector.LANDMARK_INPUT,
                     "mirrored": detector.MIRRORED, "faces_at_once": detector.FACES_AT_ONCE, "thresholds": limits},
        "alignment": {"blocks_from": alignment.BLOCKS_FROM, "fineness": alignment.FINENESS, "turns": alignment.TURNS},
        "face": {"distances": face.DISTANCES, "points": face.POINTS},
        "quality": {"seen_at": quality.SEEN_AT, "middle": quality.MIDDLE, "around": quality.AROUND,
                    "block": quality.BLOCK, "texture": quality.TEXTURE, "daylight_skin": quality.DAYLIGHT_SKIN,
                    "measures": quality.MEASURES, "beginnings": quality.BEGINNINGS, "unsigned": quality.UNSIGNED,
                    "told_from": quality.TOLD_FROM, "sentences": quality.SENTENCES},
        "calibration": {"tail": calibration.TAIL, "oldest": calibration.OLDEST},
        "familiarity": {"mean": known.mean.size, "components": known.components.size, "distances": known.distances.tolist(),
                        "shares": np.exp(known.shares).tolist(), "fall": known.fall.tolist(), "maps": familiarity.MAPS,
                        "smallest": familiarity.SMALLEST_SHARE},
        "tracking": {"least_overlap": tracking.LEAST_OVERLAP, "memory": tracking.MEMORY, "frames_missed": tracking.FRAMES_MISSED},
        "metrics": _shown(metrics),
        "page": {"words": {name: text for name, text in words.items() if name != "browser"} | words["browser"],
                 "largest_bytes": LARGEST_BYTES, "largest_pixels": settings.input.max_pixels,
                 "camera": {"width": 640, "pause": 30}, "simd_probe": SIMD_PROBE},
    }  # fmt: skip


def _shown(metrics: dict) -> dict:
    """The figures that the page tells."""
    levels = []
    for level, figures in metrics["by_predicted_age"].items():
        low, high = map(int, level.split("-"))
        name = f"{low} to {high}" if high < calibration.OLDEST else f"{low} and older"
        levels.append({"low": low, "high": high, "name": name, "age": figures["age_mae"]["value"],
                       "gender": figures["gender_accuracy"]["value"], "held": figures["age_interval_coverage"]["value"]})  # fmt: skip
    groups = {
        factor: [
            {
                "name": level,
                "n": one["age_mae"]["n"],
                "age": one["age_mae"]["value"],
                "wrong": 1 - one["gender_accuracy"]["value"],
            }
            for level, one in metrics["groups"][factor].items()
        ]
        for factor in FACTORS
    }
    return {"by_predicted_age": levels, "groups": groups, "median_width": metrics["age_interval_width"]["median"]}


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
    (out / "LICENSE.txt").write_text(licence + MIT, encoding="utf-8")


MIT = """
MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files
(the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do
so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION
WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


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
    for name, path in graph_files.detector_files().items():
        shutil.copyfile(path, files / f"{name}.onnx")
    known = familiarity.Familiarity.load(folder)
    words = json.loads((page.parent / "words.json").read_text(encoding="utf-8"))
    shutil.copyfile(folder / "LICENSE.md", out / "LICENSE.md")
    constants = constants_of(folder, words) | {
        "model": {**(model or {}), "weights_sha256": weights_identity(folder, "int8")}
    }
    assert known is not None  # constants_of says so
    np.concatenate([known.mean.ravel(), known.components.ravel()]).astype("<f4").tofile(files / "familiarity.f32")
    paths = {"network": "model/network.onnx", **{name: f"model/{name}.onnx" for name in graph_files.DETECTOR},
             "familiarity": "model/familiarity.f32", "runtime": f"ort/{RUNTIME_FILES[-1]}"}  # fmt: skip
    constants["files"] = {name: {"path": path, "sha256": file_sha256(out / path), "bytes": (out / path).stat().st_size}
                          for name, path in paths.items()}  # fmt: skip
    _write_look(out / "look.css", page.parent / "look.json")
    constants["first_bytes"] = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    text = json.dumps(constants, ensure_ascii=False)
    (out / "constants.json").write_text(text, encoding="utf-8")
    _write_shell(out)
    return constants


def _write_shell(out: pathlib.Path) -> None:
    """``shell.js``: the files that the service worker keeps at the first visit, the model's own apart, and their version."""
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
        f":root {{ color-scheme: light dark; {properties(0)} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {properties(1)} }} }}\n",
        encoding="utf-8",
    )


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with the headers that let a page use threads."""

    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm",
                      ".webmanifest": "application/manifest+json"}  # fmt: skip

    def __init__(self, *given, isolated: bool = True, **named):
        self.isolated = isolated
        super().__init__(*given, **named)

    def end_headers(self):
        for name, value in HEADERS.items() if self.isolated else ():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *told):
        pass


def serve(folder: pathlib.Path, port: int, isolated: bool = True) -> http.server.ThreadingHTTPServer:
    """A server of a folder on this machine alone, not yet running; ``isolated``: so that the page may use threads."""
    handler = functools.partial(Handler, directory=str(folder), isolated=isolated)
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.release.browser", description=(__doc__ or "").splitlines()[0]
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
        f"Wrote {args.out}: model {constants['version']}, {constants['first_bytes'] / 1e6:.1f} MB, constants {digest[:12]}"
    )
    if args.serve:
        with serve(args.out, args.serve) as server:
            print(f"The page: http://127.0.0.1:{args.serve} (Ctrl-C ends it)", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                server.serve_forever()


if __name__ == "__main__":
    main()
