"""Writes the shipped weights from a run's last whole checkpoint: `python -m train.release.export runs/best`.

The run's description and log go to ``train/shipped/``, where the card and ``train/README.md`` read them;
with another ``--model`` folder than the shipped one they stay as they are.
"""

import argparse
import json
import pathlib

import numpy as np

import hf_model
from hf_model.console import expanded_path
from hf_model.download import WEIGHTS_NAME, read_config
from hf_model.network.familiarity import NAME as FAMILIARITY
from train.config import write_config
from train.history import keep_history
from train.run import Run

SHIPPED_MODEL = pathlib.Path(hf_model.__file__).resolve().parent


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.release.export", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument("run", type=expanded_path, help="run folder, finished or not")
    parser.add_argument(
        "--model", type=expanded_path, default=pathlib.Path("hf_model"), help="where config.json is and weights go"
    )
    args = parser.parse_args(argv)

    from hf_model.network.architecture import build_model
    from hf_model.network.layout import DEFAULT
    from hf_model.network.weights import save_weights
    from hf_model.settings import RENAMED, SECTIONS_OF_WEIGHTS, Heads

    checkpoint = Run(args.run).checkpoint()
    if checkpoint is None:
        parser.error(f"{args.run} holds no whole checkpoint")
    description = json.loads((args.run / "run.json").read_text(encoding="utf-8"))
    config = read_config(args.model)
    network = build_model(Heads(**description["heads"]), network=description.get("network", DEFAULT))
    with np.load(checkpoint / "variables.npz") as arrays:
        for variable in network.variables:
            averaged = f"average:{variable.path}"  # what is judged and ships, where a run averages its weights
            variable.assign(arrays[averaged if averaged in arrays else f"model:{variable.path}"])
    if args.model.resolve() == SHIPPED_MODEL:  # another model folder's history is in its own run
        keep_history(args.run)
    save_weights(network, args.model / WEIGHTS_NAME, {"recipe": description["recipe"]})
    # What was calibrated on other weights does not hold for these.
    kept = {key: value for key, value in config.items() if RENAMED.get(key, key) not in SECTIONS_OF_WEIGHTS}
    write_config(args.model, kept | {"heads": description["heads"]})
    (args.model / FAMILIARITY).unlink(missing_ok=True)
    print(f"Wrote {args.model / WEIGHTS_NAME} from {checkpoint}")


if __name__ == "__main__":
    main()
