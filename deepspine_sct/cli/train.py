"""`sct_deepspine_train`: train a network on simulated and real spines."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deepspine_sct.cli.parser import SctArgumentParser, run, say

PROG = "sct_deepspine_train"

DESCRIPTION = """\
Train a network on simulated spines, and on annotated real slices where there are any. Stopped at any
moment and called again with the same arguments, it goes on from the last saved step."""

EPILOG = """\
writes into -ofolder:
  network.safetensors  the averaged weights so far, ready for sct_deepspine_label -model
  state.pt             what resuming needs
  log.csv              loss and learning rate, one line a save"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(
        PROG, DESCRIPTION, usage="-data <folder> -ofolder <folder> [options]", epilog=EPILOG
    )
    parser.mandatory.add_argument(
        "-data",
        type=Path,
        required=True,
        metavar="<folder>",
        help="Folder with pam50/ (the files of SCT's PAM50 template), head/icbm152_t1.nii.gz and slices/.",
    )
    parser.mandatory.add_argument(
        "-ofolder", type=Path, required=True, metavar="<folder>", help="Output folder."
    )
    number = parser.optional.add_argument
    number("-steps", type=int, default=9000, metavar="<n>", help="Optimiser steps. Default: 9000.")
    number("-batch", type=int, default=16, metavar="<n>", help="Images a step. Default: 16.")
    number(
        "-lr", type=float, default=1.5e-3, metavar="<rate>", help="Learning rate. Default: 0.0015."
    )
    number(
        "-real",
        type=float,
        default=0.3,
        metavar="<share>",
        help="Share of real images. Default: 0.3.",
    )
    number("-loss", choices=("cross_entropy", "mse"), default="cross_entropy",
           help="cross_entropy: ours; mse: the original's heatmaps. Default: cross_entropy.")  # fmt: skip
    number("-stacks", type=int, default=2, metavar="<n>", help="Hourglasses. Default: 2.")
    number("-features", type=int, default=96, metavar="<n>", help="Features. Default: 96.")
    number(
        "-attention", type=int, choices=(0, 1), default=1, help="Multi-level attention. Default: 1."
    )
    number("-start", type=Path, metavar="<file>", help="Checkpoint to start from.")
    number(
        "-seed", type=int, default=0, metavar="<n>", help="Seed of weights and data. Default: 0."
    )
    number("-threads", type=int, default=1, metavar="<n>",
           help="Threads of the optimiser; leave cores for -workers. Default: 1.")  # fmt: skip
    number(
        "-workers", type=int, default=1, metavar="<n>", help="Processes that simulate. Default: 1."
    )
    number("-device", choices=("cpu", "cuda"), default="cpu", help="Default: cpu.")
    parser.add_misc_arguments()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), train, argv)


def train(args: argparse.Namespace) -> None:
    """Train as the arguments say."""
    os.environ.setdefault(
        "OMP_NUM_THREADS", str(args.threads)
    )  # before torch loads: spinning threads cost tenfold
    import torch

    from deepspine_sct.model.hourglass import HourglassConfig
    from deepspine_sct.training.recipe import train as train_recipe
    from deepspine_sct.training.trainer import TrainingConfig

    torch.set_num_threads(args.threads)
    config = TrainingConfig(
        steps=args.steps, batch_size=args.batch, learning_rate=args.lr, loss=args.loss, real_share=args.real,
        seed=args.seed, device=args.device, workers=args.workers,
    )  # fmt: skip
    network = HourglassConfig(
        n_stacks=args.stacks, n_features=args.features, attention=bool(args.attention)
    )
    checkpoint = train_recipe(
        args.data,
        args.ofolder,
        config,
        network,
        args.start,
        lambda path, step: say(f"step {step}: wrote {path}"),
    )
    say(f"Done: {checkpoint}")


if __name__ == "__main__":
    sys.exit(main())
