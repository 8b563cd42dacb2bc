"""Labels a whole dataset on Ray: `python -m hf_model.bulk SOURCE --out DIR`.

Parquet shards come out, in the source's order. Killed at any moment and started again, it goes on.
"""

import argparse
import json
import pathlib
import sys

from ..console import expanded_path, run_command
from ..download import find_model
from ..network.engines.choice import ENGINES, PRECISIONS
from ..predictor import FACES
from .report import write_report
from .run import run
from .shards import finished
from .sources import KINDS


def in_words(result: dict, out: pathlib.Path) -> str:
    """A summary in words."""
    lines = [
        f"{result['pictures']} pictures with {result['faces']} faces are in {out}.",
        f"{result['without_face']} pictures have no face, {sum(result['unusable'].values())} could not be used:",
        *(f"  {number} × {reason}" for reason, number in result["unusable"].items()),
    ]
    if result["done_before"]:
        lines.insert(0, f"Went on behind {result['done_before']} pictures that were done before.")
    if result["pictures_per_second"]:
        lines.append(f"{result['pictures_per_second']} pictures a second, in {result['seconds']} seconds.")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hf_model.bulk", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "source", help="folder of pictures, Parquet or tar files; saved dataset; or id of a Hub dataset"
    )
    parser.add_argument("--out", required=True, type=expanded_path, help="folder for the shards")
    parser.add_argument("--faces", choices=FACES, default="all")
    parser.add_argument("--distribution", action="store_true", help="the probabilities of all ages too")
    parser.add_argument("--engine", choices=["auto", *ENGINES], default="auto", help="default: the fastest there is")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--column", default="image", help="of the pictures, in tables (default: image)")
    parser.add_argument("--split", help="of a dataset with several")
    parser.add_argument("--kind", choices=KINDS, help="which of a folder's files, where it holds several kinds")
    parser.add_argument(
        "--any-path",
        action="store_true",
        help="read files anywhere on this machine that a table names, not in SOURCE alone",
    )
    parser.add_argument("--remote", action="store_true", help="fetch what a table names by https:// or hf://")
    parser.add_argument("--workers", type=int, default=0, help="processes (default: cores)")
    parser.add_argument("--address", default="local", help="local, auto or ray://HOST:PORT (default: local)")
    parser.add_argument(
        "--model", default=str(pathlib.Path(__file__).parents[1]), help="folder or repo (default: this one)"
    )
    parser.add_argument("--report", type=expanded_path, help="a page about who is in it, .html or .md")
    args = vars(parser.parse_args(argv))
    name, out, report = args.pop("source"), args.pop("out"), args.pop("report")
    try:
        result = run(name, out, **args)
        print(in_words(result, out))
        if report:
            metrics = json.loads((find_model(args["model"]) / "metrics.json").read_text(encoding="utf-8"))
            write_report(report, name, finished(out), metrics)
            print(f"Who is in it: {report}")
        if result["pictures"] and sum(result["unusable"].values()) == result["pictures"]:
            reason = next(iter(result["unusable"]))
            print(f"None of the {result['pictures']} pictures could be used; most often: {reason}.", file=sys.stderr)
            return 2
    except (ValueError, FileNotFoundError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
