"""What bulk labelling survives: kills, a lost node, hostile pictures. `python -m benchmarks.faults` (in .venv-bulk;
make faults)

A release check, outside CI. Every broken run is compared, row for row, with an unbroken one. Written to
``benchmarks/faults.json``.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import PIL.Image
import pyarrow.parquet

from benchmarks.common import FOLDER, write_report

MODEL = pathlib.Path("hf_model").resolve()
SHARD_ROWS = 40
PACKAGES = ("ray", "pyarrow", "openvino")
RUN = """
import sys, json, pathlib
from hf_model.bulk.run import run
print(json.dumps(run(sys.argv[1], pathlib.Path(sys.argv[2]), model=sys.argv[3], workers=2, shard_rows=int(sys.argv[4]))))
"""
# A cluster of real Ray nodes on this machine, of which one is removed while the run goes on.
CLUSTER = """
import os, sys, json, pathlib, threading, time
import ray
from ray.cluster_utils import Cluster
from hf_model.bulk.run import run
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
others = [cluster.add_node(num_cpus=1) for _ in range(2)]
ray.init(address=cluster.address, log_to_driver=False)
mine = ray.get_runtime_context().get_node_id()  # with the node that it came in by this process would go, too
lost = next(node for node in others if node.node_id != mine)
def lose():
    out = pathlib.Path(sys.argv[2])
    while not list(out.glob("*.parquet")):
        time.sleep(0.2)
    cluster.remove_node(lost, allow_graceful=False)
    print("a node is gone", file=sys.stderr, flush=True)
threading.Thread(target=lose, daemon=True).start()
print(json.dumps(run(sys.argv[1], pathlib.Path(sys.argv[2]), model=sys.argv[3], workers=3, shard_rows=int(sys.argv[4]))), flush=True)
ray.shutdown()
cluster.shutdown()
os._exit(0)  # at Python's own end Ray exits with 1, for the node that was killed
"""


def make_photos(folder: pathlib.Path, count: int) -> None:
    """Pictures of the astronaut, each framed a little differently; every seventh has no face."""
    import skimage.data

    astronaut = PIL.Image.fromarray(skimage.data.astronaut())
    folder.mkdir()
    for number in range(count):
        left, top = number % 29, number % 23
        box = (0, 300, 200, 500) if number % 7 == 6 else (left, top, left + 330, top + 330)
        astronaut.crop(box).save(folder / f"{number:05d}.jpg", quality=90)


def start(code: str, source: pathlib.Path, out: pathlib.Path) -> subprocess.Popen:
    """A run in a session of its own, so that it can be killed with all its children."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.getcwd()}
    arguments = [sys.executable, "-c", code, str(source), str(out), str(MODEL), str(SHARD_ROWS)]
    with log_of(out).open("ab") as log:
        return subprocess.Popen(
            arguments, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )


def log_of(out: pathlib.Path) -> pathlib.Path:
    """Where the runs into a folder say what went wrong."""
    return out.with_name(f"{out.name}.log")


def result_of(process: subprocess.Popen, out: pathlib.Path) -> dict:
    """The summary that a run prints."""
    printed, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a run failed with {process.returncode}:\n{log_of(out).read_text(errors='replace')[-2000:]}")
    return json.loads(printed.strip().splitlines()[-1])


def complete(code: str, source: pathlib.Path, out: pathlib.Path) -> dict:
    """A run to its end; the summary that it prints."""
    return result_of(start(code, source, out), out)


def rows_of(out: pathlib.Path) -> list[dict]:
    """All rows, in order."""
    return [row for file in sorted(out.glob("*.parquet")) for row in pyarrow.parquet.read_table(file).to_pylist()]


def differences(one: list[dict], other: list[dict]) -> int:
    """In how many rows two runs differ: keys, errors, boxes, and ages by more than a hundredth of a year."""
    if len(one) != len(other):
        return abs(len(one) - len(other))

    def same(a: dict, b: dict) -> bool:
        pairs = list(zip(a["faces"], b["faces"], strict=False))
        return (a["key"], a["error"], len(a["faces"])) == (b["key"], b["error"], len(b["faces"])) and all(
            x["box"] == y["box"] and abs(x["age"] - y["age"]) < 0.01 for x, y in pairs
        )

    return sum(not same(a, b) for a, b in zip(one, other, strict=True))


def kills(
    photos: pathlib.Path, folder: pathlib.Path, whole: list[dict], times: int, seconds: float, first: float
) -> dict:
    """``kill -9`` of everything at random moments, each time a little further on, then run again until it ends.

    Args:
        seconds: that an unbroken run takes.
        first: of these until the first picture is answered.
    """
    chance = random.Random(0)
    out, killed = folder / "killed", 0
    for _ in range(times):
        process = start(RUN, photos, out)
        try:
            process.wait(chance.uniform(0.8 * first, first + 2 * seconds / times))
        except subprocess.TimeoutExpired:
            killed += 1
            os.killpg(process.pid, signal.SIGKILL)
            subprocess.run(["pkill", "-9", "-f", "raylet|gcs_server|ray::"], check=False)
            process.communicate()
    result = complete(RUN, photos, out)
    return {
        "kills": killed,
        "done_before_the_last_run": result["done_before"],
        "rows": len(rows_of(out)),
        "rows_that_differ": differences(rows_of(out), whole),
    }


def hostile(folder: pathlib.Path) -> dict:
    """1,000 pictures, 50 of them hostile: those of the tests' corpus that cannot be read, and files cut off
    anywhere."""
    from hf_model.pictures.images import InvalidImageError, read_image
    from tests.corpus import make_files

    def unusable(path: pathlib.Path) -> bool:
        try:
            read_image(path, 50_000_000)
        except InvalidImageError:
            return True
        return False

    source = folder / "hostile"
    make_photos(source, 950)
    (folder / "odd").mkdir()
    whole = (source / "00000.jpg").read_bytes()
    with PIL.Image.open(source / "00000.jpg") as photo:
        odd = [path for path in make_files(folder / "odd", photo.copy()) if unusable(path)][:50]
    for number in range(50 - len(odd)):
        odd.append(folder / "odd" / f"cut_{number}")
        odd[-1].write_bytes(whole[: 300 * (number + 1)])
    for number, path in enumerate(odd):
        shutil.copy(path, source / f"odd_{number:02d}.jpg")
    result = complete(RUN, source, folder / "hostile_out")
    return {
        "pictures": result["pictures"],
        "unusable": sum(result["unusable"].values()),
        "reasons": len(result["unusable"]),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hostile-only", action="store_true", help="measure that part anew and keep the others")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if args.hostile_only:
            kept = json.loads((FOLDER / "faults.json").read_text(encoding="utf-8"))
            return write_report("faults", PACKAGES, kept | {"hostile": hostile(folder)})
        photos = folder / "photos"
        make_photos(photos, args.photos)
        make_photos(folder / "few", 8)
        began = time.monotonic()
        complete(RUN, folder / "few", folder / "few_out")
        first = time.monotonic() - began
        complete(RUN, photos, folder / "whole")
        seconds = time.monotonic() - began - first
        whole = rows_of(folder / "whole")
        figures: dict = {"unbroken": {"rows": len(whole), "seconds": round(seconds, 1)}}
        figures["killed"] = kills(photos, folder, whole, args.kills, seconds, first)
        print(figures, flush=True)
        complete(CLUSTER, photos, folder / "lost")
        figures["node_lost"] = {
            "rows": len(rows_of(folder / "lost")),
            "rows_that_differ": differences(rows_of(folder / "lost"), whole),
        }
        print(figures, flush=True)
        figures["hostile"] = hostile(folder)
    write_report("faults", PACKAGES, figures)


if __name__ == "__main__":
    main()
