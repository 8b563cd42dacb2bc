"""Trains on a GPU machine that is lent for minutes: all layers by a recipe, in plain PyTorch, for so many seconds.

    python -m train.jobs.gpu.packs --data UTKFACE --also FAIRFACE ... --init-from WEIGHTS --out PACKS  # here
    python -m train.jobs.gpu --packs PACKS --seconds 600 --out runs/gpu                                 # there

The network, losses and changes of pictures are those of ``python -m train``. What comes back is a run folder, from
whose ``model.safetensors`` ``python -m train --init-from`` goes on, history and all; the weights lie in pieces.
"""

import argparse
import os
import pathlib


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.jobs.gpu", description="Trains on a GPU for so many seconds."
    )
    parser.add_argument("--packs", type=pathlib.Path, required=True, help="what python -m train.jobs.gpu.packs wrote")
    parser.add_argument("--recipe", default="gpu", help="a recipe whose stages train all layers (default: gpu)")
    parser.add_argument("--seconds", type=float, required=True, help="of training, without a minute of preparation")
    parser.add_argument("--judged", type=int, default=10, metavar="TIMES", help="how often (default: 10)")
    parser.add_argument("--processes", type=int, default=max((os.cpu_count() or 2) - 1, 1), help="that change pictures")
    parser.add_argument("--device", help="cuda or cpu (default: cuda where there is one)")
    parser.add_argument(
        "--out", type=pathlib.Path, required=True, help="folder for the log, the weights, and at the end: done"
    )
    args = parser.parse_args(argv)
    if not any(args.packs.glob("pictures*.bin")):
        parser.error(f"--packs {args.packs} holds no pictures*.bin: write them with python -m train.jobs.gpu.packs")
    if args.out.is_dir() and any(args.out.iterdir()):
        parser.error(f"--out {args.out} is not empty: a log of another training would go on in it")
    # After the arguments, so that --help and mistakes answer at once, and without PyTorch.
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from train.jobs.gpu.work import work

    work(args)


if __name__ == "__main__":
    main()
