"""Inputs that share a file, a buffer or an iterator, many times over, on every engine and door; and what pictures take held ahead.

    python -m benchmarks.shared [--repeats 50]

The transformers door takes part where transformers and PyTorch are (`.venv-transformers/bin/python`); figures of other doors
stay in the file. Exits 1 where an answer is wrong, or 64 pictures of 50 megapixels take over 1.3 times the memory of 4.
Written to ``benchmarks/shared.json``.
"""

import argparse
import importlib.util
import json
import sys

from benchmarks.common import FOLDER, run_fresh, write_report

ENGINES = ("keras", "onnx", "openvino")
MOST_MEMORY = 1.3
SHARED = """
import io, json, sys, tarfile
import numpy as np
import PIL.Image, PIL.ImageSequence
import skimage.data
engine, door, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
if door == "transformers":
    from transformers import pipeline
    pipe = pipeline(model="hf_model", trust_remote_code=True, model_kwargs={"engine": engine})
    tell = lambda images: [[face["age"] for face in faces] for faces in pipe(images)]
else:
    from hf_model import AgeGenderPredictor
    predictor = AgeGenderPredictor.from_pretrained("hf_model", engine=engine)
    ask = predictor if door == "call" else predictor.stream
    tell = lambda images: [[face.age for face in faces] for faces in ask(images)]
plain = PIL.Image.fromarray(skimage.data.astronaut()).crop((100, 0, 400, 300))
frames = [plain.point([value * 2 // 5 for value in range(256)] * 3), PIL.Image.new("RGB", plain.size, "grey"),
          plain.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT), plain]
def encoded(frame, kind="JPEG", **options):
    buffer = io.BytesIO(); frame.copy().save(buffer, kind, **options); buffer.seek(0); return buffer
expected = [tell([frame])[0] for frame in frames]
once = tell([encoded(plain)])[0]
animation = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
def refilled():
    array = np.empty((300, 300, 3), np.uint8)
    for frame in frames:
        array[:] = np.asarray(frame)
        yield array
def members():
    with tarfile.open(fileobj=archive) as opened:
        for member in opened:
            yield opened.extractfile(member)
asked = wrong = 0
def compare(found, right):
    global asked, wrong
    asked += len(right)
    wrong += abs(len(found) - len(right)) + sum(len(a) != len(b) or not np.allclose(a, b, atol=0.3) for a, b in zip(found, right))
for _ in range(repeats):
    compare(tell([PIL.Image.open(encoded(plain))] * 4), [once] * 4)
    compare(list(tell(refilled())), expected)
    compare(list(tell(frame for frame in PIL.ImageSequence.Iterator(PIL.Image.open(animation)))), expected)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for number, frame in enumerate(frames):
            data = encoded(frame, "PNG").getvalue()
            member = tarfile.TarInfo(f"{number}.png"); member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    archive.seek(0)
    compare(list(tell(members())), expected)
print(json.dumps({"answers": asked, "wrong": int(wrong)}))
"""
HELD = """
import json, resource, sys
import numpy as np
door, count = sys.argv[1], int(sys.argv[2])
def pictures():
    for number in range(count):
        yield np.full((7000, 7000, 3), number, np.uint8)
if door == "transformers":
    from transformers import pipeline
    pipe = pipeline(model="hf_model", trust_remote_code=True)
    answers = list(pipe(pictures()))
else:
    from hf_model import AgeGenderPredictor
    answers = AgeGenderPredictor.from_pretrained("hf_model")(pictures())
assert len(answers) == count
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3))
"""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shared", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    args = parser.parse_args(argv)
    has_door = all(map(importlib.util.find_spec, ("transformers", "torch")))
    doors = ["transformers"] if has_door else ["call", "stream"]
    path = FOLDER / "shared.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    figures: dict = {part: before.get(part, {}) for part in ("wrong_answers", "peak_mb")}
    for door in doors:
        for engine in ENGINES:
            run = run_fresh(SHARED, engine, door, str(args.repeats))
            figures["wrong_answers"][f"{door}, {engine}"] = run
            print(door, engine, run, flush=True)
        if door != "stream":
            few, many = (run_fresh(HELD, door, str(count)) for count in (4, 64))
            figures["peak_mb"][door] = {"4": few, "64": many, "ratio": round(many / few, 2)}
            print(door, figures["peak_mb"][door], flush=True)
    write_report("shared", ("numpy", "pillow"), figures)
    wrong = sum(run["wrong"] for run in figures["wrong_answers"].values())
    if wrong or any(held["ratio"] > MOST_MEMORY for held in figures["peak_mb"].values()):
        sys.exit(f"{wrong} wrong answers; memory {figures['peak_mb']}.")


if __name__ == "__main__":
    main()
