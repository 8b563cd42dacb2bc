"""Builds the graphs that the fast engines run, once: `python -m hf_model.engines --build`."""

import argparse
import pathlib
import sys

from .console import run_command
from .download import find_model
from .network.engines.graph_files import PUBLISHED_DETECTOR, RANGES, detector_files, network_file
from .settings import Settings


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m hf_model.engines", description="Builds the graphs that the fast engines run, once."
    )
    parser.add_argument("--build", action="store_true", required=True, help="build what is not there yet")
    parser.add_argument(
        "--model", default=str(pathlib.Path(__file__).parent), help="folder or Hub repo (default: this one)"
    )
    args = parser.parse_args(argv)
    try:
        folder = find_model(args.model, beside=PUBLISHED_DETECTOR)
        settings = Settings.load(folder)
        precisions = ["float32", *(["int8"] if (folder / RANGES).is_file() else [])]
        paths = [network_file(settings, folder, precision, verify_checksum=True) for precision in precisions]
        paths += detector_files(folder, verify_checksum=True).values()
    except (FileNotFoundError, ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(paths)} graphs are there, the network's in {paths[0]}.")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
