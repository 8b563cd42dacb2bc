"""The static page's model in headless Chromium, one thread, beside Python's ``onnx/int8`` on one thread: `python -m
benchmarks.bench_browser`.

A photo of 512 pixels as a PNG file, end to end, from the file to the answer; medians, in turns in one run. And how far
the answers for the tests' forty pictures lie from Python's, as PNG and as JPEG, which browsers decode in their own way;
beside it how far Python's own move where one pixel in a thousand of a face's crop is one step brighter: in int8 a step
more or less goes a long way. Wants chromium and the extra e2e. Written to ``benchmarks/browser.json``.
"""

import argparse
import base64
import contextlib
import pathlib
import shutil
import statistics
import tempfile
import threading

import numpy as np

from benchmarks.common import astronaut, write_report
from benchmarks.sides import OURS, Side
from hf_model import AgeGenderPredictor
from hf_model.faces.boxes import box_overlap
from tests.browser.pictures import forty
from train.release.browser import write_page
from train.release.browser_server import serve

# In the page: a worker of its own, asked many times; milliseconds each, and the ages told.
ASK = """
async ([datas, times]) => {
  const worker = new Worker("js/worker.js", { type: "module" });
  const blobs = datas.map((data) => new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type: "image/*" }));
  const ask = (source) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { answer, error } }) => (error ? reject(new Error(error)) : answer && resolve(answer));
    worker.postMessage({ id: "1", source, all: true });
  });
  await ask(null);
  const taken = [];
  const answers = [];
  for (const blob of blobs) {
    for (let n = 0; n < times + 3; n++) {
      const began = performance.now();
      const { faces } = await ask(blob);
      if (n >= 3) taken.push(performance.now() - began);
      if (n === times + 2) answers.push(faces.map(({ prediction: { age, female_probability, box } }) => [age, female_probability, box]));
    }
  }
  worker.terminate();
  return { taken, answers, isolated: self.crossOriginIsolated };
}
"""


def encoded(path: pathlib.Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def agreement(expected: list, answers: list) -> dict:
    """Of pictures' faces as [age, P(female), box]: how many are the same by their boxes, and how far the answers lie
    apart."""
    years, points, sides, faces, found = [], [], [], 0, 0
    for ours, theirs in zip(expected, answers, strict=True):
        faces += len(ours)
        for age, female, box in ours:
            same = [one for one in theirs if box_overlap(one[2], box) >= 0.9]
            if len(same) == 1 and len(theirs) == len(ours):
                found += 1
                years.append(abs(same[0][0] - age))
                points.append(abs(same[0][1] - female))
                if abs(female - 0.5) > 0.02:
                    sides.append((same[0][1] > 0.5) == (female > 0.5))
    return {
        "faces": faces,
        "same_faces": found,
        **spread(years),
        "gender_points_mean": round(float(np.mean(points)), 4),
        "same_side_of_half": round(float(np.mean(sides)), 4),
    }


def spread(years: list[float]) -> dict:
    return {
        "years_mean": round(float(np.mean(years)), 3),
        "years_most": round(max(years), 2),
        "within_half_a_year": round(float(np.mean(np.array(years) <= 0.5)), 3),
    }


def own_noise(pictures: dict) -> dict:
    """How far Python's own answers in int8 move between a face's crop and one with a thousandth of its values one step
    higher."""
    predictor = AgeGenderPredictor.from_pretrained("hf_model", engine="onnx", precision="int8", threads=1)
    random, years = np.random.default_rng(0), []
    for picture in pictures.values():
        for _, crop in predictor.crops(picture, faces="all"):
            pixels = np.asarray(crop)
            brighter = np.minimum(pixels.astype(int) + (random.random(pixels.shape) < 0.001), 255).astype(np.uint8)
            first, second = (found[0].age for found in predictor([pixels, brighter], faces="none"))
            years.append(abs(first - second))
    return spread(years)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench_browser", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args(argv)
    from playwright.sync_api import sync_playwright

    pictures = forty(astronaut())
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = pathlib.Path(name)
        files: dict[str, list[pathlib.Path]] = {"png": [], "jpg": []}
        for title, picture in pictures.items():
            for kind, some in files.items():
                some.append(folder / f"{title}.{kind}")
                picture.save(some[-1], quality=92)
        photo = folder / "side_512.png"
        constants = write_page(folder / "page")
        python = Side(OURS, options={"engine": "onnx", "precision": "int8", "threads": 1}, faces="all")
        expected = {kind: python.ask(some)["answers"] for kind, some in files.items()}
        python.ask([photo] * 3)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        taken: dict[str, list[float]] = {"chromium": [], "chromium_threads": [], "python": []}
        with contextlib.ExitStack() as stack:
            pages = {}
            for title, isolated in (("chromium", False), ("chromium_threads", True)):
                server = stack.enter_context(serve(folder / "page", 0, isolated=isolated))
                threading.Thread(target=server.serve_forever, daemon=True).start()
                stack.callback(server.shutdown)
                pages[title] = browser.new_page()
                pages[title].goto(f"http://127.0.0.1:{server.server_port}")
            for _ in range(args.rounds):
                for title, page in pages.items():
                    told = page.evaluate(ASK, [[encoded(photo)], args.times])
                    assert told["isolated"] == (title == "chromium_threads")
                    taken[title] += told["taken"]
                taken["python"] += [1000 * python.ask([photo])["seconds"] for _ in range(args.times)]
            answers = {
                kind: pages["chromium"].evaluate(ASK, [[encoded(file) for file in some], 0])["answers"]
                for kind, some in files.items()
            }
            threads = pages["chromium_threads"].evaluate("Math.min(navigator.hardwareConcurrency, 4)")
        browser.close()
        python.close()
    medians = {side: round(statistics.median(times), 1) for side, times in taken.items()}
    figures = {
        "photo_ms": medians,
        "times_python": round(medians["chromium"] / medians["python"], 2),
        "threads": threads,
        "times_faster_on_threads": round(medians["chromium"] / medians["chromium_threads"], 2),
        "first_answer_mb": round(constants["first_bytes"] / 1e6, 1),
        "agreement": agreement(expected["png"], answers["png"]),
        "agreement_jpeg": agreement(expected["jpg"], answers["jpg"]),
        "python_with_a_few_pixels_one_step_brighter": own_noise(pictures),
    }
    write_report("browser", ("onnxruntime", "numpy", "pillow"), figures)


if __name__ == "__main__":
    main()
