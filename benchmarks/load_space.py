"""The Space under load: `python -m benchmarks.load_space [--clients 40] [--requests 10]`, on this machine alone.

Half the clients send good and bad photos, the other half frames of a camera, as the tab "Live" does. Every answer must
be the one a single client gets, every refusal the polite one; the server must answer afterwards; and memory must not
grow in a second round, when pools and caches are full. Exits 1 otherwise. Written to ``benchmarks/space.json``.
"""

import argparse
import base64
import collections
import concurrent.futures
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator

import httpx
import numpy as np
import PIL.Image

from benchmarks.common import astronaut, write_report

GROWTH_LIMIT_MB = 60


def make_photos(folder: pathlib.Path) -> list[pathlib.Path]:
    """Good and bad photos, by name."""
    photo = astronaut()
    pair = PIL.Image.new("RGB", (1024, 512))
    pair.paste(photo, (0, 0))
    pair.paste(photo, (512, 0))
    for name, picture in {"face": photo, "pair": pair, "gray": PIL.Image.new("RGB", (300, 200), "gray")}.items():
        picture.save(folder / f"{name}.jpg")
    (folder / "text.jpg").write_text("not a picture")
    (folder / "cut.jpg").write_bytes((folder / "face.jpg").read_bytes()[:5000])
    return sorted(folder.iterdir())


def ask(client, photo: pathlib.Path) -> tuple[str, object]:
    """("answer", faces), ("sentence", text) for a file that cannot be used, or ("refused", text)."""
    from gradio_client import handle_file

    try:
        return "answer", client.predict(handle_file(str(photo)), True, api_name="/predict")[1]
    except Exception as error:  # gradio_client's own kinds; the text tells which it was
        text = str(error)
        if "cannot be used" in text:
            return "sentence", text
        return ("refused" if "ueue is full" in text or "busy" in text else "failed"), text


class Camera:
    """A visitor of the tab "Live": frame after frame in one session, by the requests that the page makes."""

    def __init__(self, url: str):
        self.url, self.session = f"{url}/gradio_api", uuid.uuid4().hex
        self.client = httpx.Client(timeout=300)
        config = self.client.get(f"{url}/config").json()
        camera = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "camera")
        self.event = next(e["id"] for e in config["dependencies"] if [camera, "input"] in e["targets"])
        buffer = io.BytesIO()
        astronaut().resize((480, 480)).save(buffer, "JPEG")
        self.picture = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()

    def ask(self, frames: int) -> Iterator[tuple[str, object]]:
        """("answer", the number of faces), ("refused", text) or ("failed", text) for each of some frames."""
        body = {
            "data": [None],
            "event_data": {"frame": self.picture},
            "fn_index": self.event,
            "session_hash": self.session,
        }
        for _ in range(frames):
            try:
                joined = self.client.post(f"{self.url}/queue/join", json=body)
                if joined.status_code != 200:
                    yield ("refused" if "ueue is full" in joined.text else "failed"), joined.text
                    continue
                with self.client.stream("GET", f"{self.url}/queue/data", params={"session_hash": self.session}) as told:
                    for line in told.iter_lines():
                        message = json.loads(line[5:]) if line.startswith("data:") else {}
                        if message.get("msg") == "process_completed":
                            yield self.judged(message)
                            break
            except httpx.HTTPError as error:
                yield "failed", repr(error)

    def judged(self, told: dict) -> tuple[str, object]:
        text = json.dumps(told["output"])
        if told.get("success", True) and "Face 1" in text:
            return "answer", text.count("Face ")
        return ("refused" if "busy" in text or "ueue is full" in text else "failed"), text[:500]


def same(first, second) -> bool:
    """Whether two answers agree: texts as they are, faces up to rounding of the arithmetic."""
    if first[0] != second[0] or first[0] != "answer":
        return first == second
    if len(first[1]) != len(second[1]):
        return False
    return all(
        a["box"] == b["box"] and abs(a["age"] - b["age"]) < 0.01 for a, b in zip(first[1], second[1], strict=True)
    )


def children_mb() -> float:
    """Resident memory of this process's children: the server (Linux)."""
    pages = 0
    for pid in pathlib.Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        with contextlib.suppress(OSError):
            pages += int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Load:
    """Many visitors at once, and what became of their requests."""

    def __init__(self, url: str, photos: list[pathlib.Path], requests: int):
        from gradio_client import Client

        self.url, self.photos, self.requests = url, photos, requests
        self.single = Client(url, verbose=False)
        self.expected = {photo: ask(self.single, photo) for photo in photos}
        self.outcomes: collections.Counter = collections.Counter()
        self.live: collections.Counter = collections.Counter()
        self.times: list[float] = []
        self.live_times: list[float] = []

    def visit(self, seed: int) -> None:
        """One visitor: of an odd number before a camera, of an even one with photos."""
        return self._watch() if seed % 2 else self._send(seed)

    def _watch(self) -> None:
        start = time.perf_counter()
        for outcome in Camera(self.url).ask(self.requests):
            self.live_times.append(time.perf_counter() - start)
            self.live[outcome[0]] += 1
            if outcome[0] == "failed":
                print(outcome, file=sys.stderr)
            start = time.perf_counter()

    def _send(self, seed: int) -> None:
        from gradio_client import Client

        client, random = Client(self.url, verbose=False), np.random.default_rng(seed)
        for index in random.integers(0, len(self.photos), self.requests):
            start = time.perf_counter()
            outcome = ask(client, self.photos[index])
            self.times.append(time.perf_counter() - start)
            expected = self.expected[self.photos[index]]
            if outcome[0] in ("answer", "sentence") and not same(outcome, expected):
                outcome = ("wrong", outcome)
            self.outcomes[outcome[0]] += 1
            if outcome[0] in ("wrong", "failed"):
                print(outcome, file=sys.stderr)

    def is_well(self) -> bool:
        """Whether a single visitor gets the answers of before."""
        return all(same(ask(self.single, photo), self.expected[photo]) for photo in self.photos)

    def figures(self, seconds: float) -> dict:
        """Requests and frames by their outcome, and how long they took."""
        return {
            "requests": sum(self.outcomes.values()),
            "outcomes": dict(self.outcomes),
            "live_frames": dict(self.live),
            "per_second": (sum(self.outcomes.values()) + sum(self.live.values())) / seconds,
            "median_s": float(np.median(self.times)),
            "p95_s": float(np.percentile(self.times, 95)),
            "live_median_s": float(np.median(self.live_times)),
            "live_p95_s": float(np.percentile(self.live_times, 95)),
        }

    def failed(self) -> bool:
        """Whether anything went wrong."""
        return bool(self.outcomes["failed"] or self.outcomes["wrong"] or self.live["failed"] or not self.live["answer"])


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load_space", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--requests", type=int, default=10)
    args = parser.parse_args(argv)

    from tests.support import running_space

    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("MODEL_ID", None)
    with tempfile.TemporaryDirectory() as folder, running_space(pathlib.Path.cwd(), environment) as url:
        load = Load(url, make_photos(pathlib.Path(folder)), args.requests)
        start = time.perf_counter()
        memory = [children_mb()]
        for seeds in (range(args.clients), range(args.clients, 2 * args.clients)):
            with concurrent.futures.ThreadPoolExecutor(args.clients) as pool:
                list(pool.map(load.visit, seeds))
            memory.append(children_mb())
        figures = {"clients": args.clients, **load.figures(time.perf_counter() - start)}
        grown, afterwards = memory[2] - memory[1], load.is_well()
    figures |= {
        "memory_mb": memory,
        "memory_grown_in_second_round_mb": grown,
        "memory_limit_mb": GROWTH_LIMIT_MB,
        "answers_afterwards": afterwards,
    }
    write_report("space", ("gradio", "gradio_client", "openvino"), figures)
    if load.failed() or not afterwards or grown > GROWTH_LIMIT_MB:
        sys.exit("The Space did not bear the load, see above.")


if __name__ == "__main__":
    main()
