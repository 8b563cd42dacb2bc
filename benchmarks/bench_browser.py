"""The static page's model in headless Chromium, one thread, beside Python's ``onnx/int8`` on one thread: `python -m benchmarks.bench_browser`.

A photo of 512 pixels as a PNG file, end to end, from the file to the answer; medians, in turns in one run. Wants chromium and the
extra e2e. Written to ``benchmarks/browser.json``.
"""

import argparse
import base64
import io
import pathlib
import shutil
import statistics
import tempfile
import threading

from benchmarks.bench_predictor import astronaut
from benchmarks.common import write_report
from benchmarks.sides import OURS, Side
from train.release.browser import serve, write_page

# In the page: a worker of its own, asked many times; milliseconds each, and the ages told.
ASK = """
async ([data, times]) => {
  const worker = new Worker("js/worker.js", { type: "module" });
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const ask = (source) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { answer, error } }) => (error ? reject(new Error(error)) : answer && resolve(answer));
    worker.postMessage({ id: "1", source, all: false });
  });
  await ask(null);
  const taken = [];
  let age = null;
  for (let n = 0; n < times + 3; n++) {
    const began = performance.now();
    const { faces } = await ask(new Blob([bytes], { type: "image/png" }));
    if (n >= 3) taken.push(performance.now() - began);
    age = faces[0].prediction.age;
  }
  worker.terminate();
  return { taken, age, isolated: self.crossOriginIsolated };
}
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_browser", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    from playwright.sync_api import sync_playwright

    buffer = io.BytesIO()
    astronaut().save(buffer, "PNG")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = pathlib.Path(name)
        photo = folder / "photo.png"
        photo.write_bytes(buffer.getvalue())
        constants = write_page(folder / "page")
        python = Side(OURS, options={"engine": "onnx", "precision": "int8", "threads": 1})
        python.ask([photo] * 3)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        taken: dict[str, list[float]] = {"chromium": [], "python": []}
        with serve(folder / "page", 0, isolated=False) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}")
            for _ in range(args.rounds):
                told = page.evaluate(ASK, [base64.b64encode(buffer.getvalue()).decode(), args.times])
                taken["chromium"] += told["taken"]
                for _ in range(args.times):
                    answered = python.ask([photo])
                    taken["python"].append(1000 * answered["seconds"])
            server.shutdown()
        browser.close()
        python.close()
    medians = {side: round(statistics.median(times), 1) for side, times in taken.items()}
    figures = {
        "photo_ms": medians,
        "times_python": round(medians["chromium"] / medians["python"], 2),
        "threads": 4 if told["isolated"] else 1,
        "ages": {"chromium": round(told["age"], 2), "python": round(answered["answers"][0][0][0], 2)},
        "first_answer_mb": round(constants["first_bytes"] / 1e6, 1),
    }
    write_report("browser", ("onnxruntime", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
