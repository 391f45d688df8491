"""`sct_deepspine_train`: train a network on simulated spines, on a prepared set, or on both."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.argument_types import checkpoint_path, contrast, count, count_or_none, positive, share
from deepspine_sct.cli.parser import SctArgumentParser, run, say

if TYPE_CHECKING:
    from deepspine_sct.data.prepared_set import PreparedSet
    from deepspine_sct.training.trainer import TrainingConfig

PROG = "sct_deepspine_train"
SIMULATED_EPOCH_STEPS = 250

DESCRIPTION = """\
Train a network on simulated spines (-data), on a prepared set (-set), or on a mix of both (-real).
After every epoch it labels the validation part of the set, or simulated scans where there is no
set. Stopped at any moment and called again with the same arguments, it goes on from the last epoch
and comes to the same result as if it had never stopped."""

EPILOG = """\
writes into -ofolder:
  network.safetensors  the averaged weights after the last epoch
  best.safetensors     those of the best epoch, ready for sct_deepspine_label -model: the one with
                       the highest identification rate in validation; of equals the one with every
                       name right in most images; of equals the last one
  log.csv, curves.png  losses and validation scores of every epoch
  convergence.gif      the same validation images after every epoch, from frames/
  state.pt             what resuming needs

examples:
  sct_deepspine_train -set set -ofolder run -start installed -epochs 20 -lr 0.0003
  sct_deepspine_train -data sources -set set -real 0.5 -ofolder run"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(
        PROG,
        DESCRIPTION,
        usage="-ofolder <folder> -set <folder> and/or -data <folder> [options]",
        epilog=EPILOG,
    )
    parser.mandatory.add_argument("-ofolder", type=Path, required=True, metavar="<folder>", help="Output folder.")
    _add_source_arguments(parser)
    _add_schedule_arguments(parser)
    _add_network_arguments(parser)
    _add_machine_arguments(parser)
    parser.add_misc_arguments()
    return parser


def _add_source_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-data",
        type=Path,
        metavar="<folder>",
        help="Sources of the simulator: pam50/ with the files of SCT's PAM50 template, and "
        "head/icbm152_t1.nii.gz; slices/, where there is one, holds annotated real slices.",
    )
    add("-set", type=Path, metavar="<folder>", help="Set of sct_deepspine_prepare.")
    add(
        "-real",
        type=share,
        default=0.45,
        metavar="<share>",
        help="Share of real images where both are given. Default: 0.45.",
    )
    add("-c", type=contrast, choices=("t1", "t2", "all"), default="all", help="Contrast. Default: all.")
    add(
        "-flip",
        type=share,
        default=0.0,
        metavar="<share>",
        help="Share of images mirrored front to back, which the original did to half of them. No "
        "spine looks so; docs/tutorial.md says what it costs. Default: 0.",
    )


def _add_schedule_arguments(parser: SctArgumentParser) -> None:
    length = parser.optional.add_mutually_exclusive_group()
    length.add_argument("-epochs", type=count, default=200, metavar="<n>", help="Epochs. Default: 200.")
    length.add_argument("-steps", type=count, metavar="<n>", help="Optimiser steps in all, instead of -epochs.")
    add = parser.optional.add_argument
    add(
        "-epoch-steps",
        type=count,
        metavar="<n>",
        help="Optimiser steps of an epoch. Default: as many as show every training image of the "
        f"set once; without a set {SIMULATED_EPOCH_STEPS}.",
    )
    add("-batch", type=count, default=16, metavar="<n>", help="Images a step. Default: 16.")
    add(
        "-lr",
        type=positive,
        default=1.5e-3,
        metavar="<rate>",
        help="Learning rate, which rises at first and falls at the end. Default: 0.0015.",
    )
    add(
        "-patience",
        type=count_or_none,
        default=0,
        metavar="<n>",
        help="Stop when the identification rate has not risen for so many epochs. Default: 0, which is never.",
    )
    add("-seed", type=count_or_none, default=0, metavar="<n>", help="Seed of the weights and the data. Default: 0.")
    add(
        "-folds",
        type=count_or_none,
        nargs="+",
        default=[0],
        metavar="<k>",
        help="Folds of the lumbar subjects of -data (0 to 3), one network for each, which never sees that fold. The "
        "networks train together, on the same images; all but the first go into subfolders fold_<k>. Default: 0, as "
        "the installed network.",
    )
    add(
        "-look",
        type=share,
        default=0.2,
        metavar="<weight>",
        help="How strongly the attention is taught to look at discs; 0 teaches it nothing. Default: 0.2.",
    )


def _add_network_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-start",
        type=Path,
        metavar="<file>",
        help="Checkpoint to start from, or the word installed; it brings its own architecture.",
    )
    add(
        "-loss",
        choices=("cross_entropy", "mse"),
        default="cross_entropy",
        help="cross_entropy: ours; mse: the original's heatmaps. Default: cross_entropy.",
    )
    add("-stacks", type=count, default=2, metavar="<n>", help="Hourglasses. Default: 2.")
    add(
        "-blocks",
        type=count,
        default=1,
        metavar="<n>",
        help="Residual blocks at each place of an hourglass. Default: 1.",
    )
    add("-features", type=count, default=96, metavar="<n>", help="Features. Default: 96.")
    add(
        "-discs",
        type=int,
        choices=range(1, 26),
        default=25,
        metavar="<n>",
        help="Discs with a channel, from the first one down. Default: 25.",
    )
    add("-attention", type=int, choices=(0, 1), default=1, help="Attention. Default: 1.")


def _add_machine_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="Default: auto, which is a GPU where there is one.",
    )
    add(
        "-threads",
        type=count,
        default=1,
        metavar="<n>",
        help="Threads of the optimiser; leave cores for -workers. Default: 1.",
    )
    add(
        "-workers",
        type=count_or_none,
        default=1,
        metavar="<n>",
        help="Processes that make the images. Default: 1.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), train, argv)


def train(args: argparse.Namespace) -> None:
    """Train as the arguments say.

    Raises
    ------
    DeepspineError
        When a source cannot be used, or the output folder holds another training.
    """
    if not (args.data or args.set):
        get_parser().error("give -data, -set or both")
    # Before torch loads: threads that spin while they wait cost tenfold on a busy machine.
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.evaluation.training_diary import Diary
    from deepspine_sct.evaluation.validation import HeldOut, validate
    from deepspine_sct.labeling.predictor import Predictor
    from deepspine_sct.model.hourglass import HourglassConfig
    from deepspine_sct.training import recipe
    from deepspine_sct.training.held_out import held_out

    recipe.use_threads(args.threads)
    prepared = read_set(args.set) if args.set else None
    config = make_config(args, prepared)
    sources = recipe.read_sources(args.data, prepared, config)
    cases = [HeldOut(*case) for case in held_out(sources, args.c)]
    diary = Diary(args.ofolder)

    def on_save(path: Path, step: int) -> dict[str, float]:
        epoch = -(-step // config.save_every)
        if not cases:
            print(f"epoch {epoch}: no image to validate on", file=sys.stderr)
            return {}
        scores, results = validate(Predictor.load(path, config.device), cases)
        diary.add(step, cases, results, scores)
        if args.v:
            say(f"epoch {epoch}, step {step}: {_score_line(scores)}")
        return scores

    network = HourglassConfig(
        n_stacks=args.stacks,
        n_blocks=args.blocks,
        n_features=args.features,
        n_discs=args.discs,
        attention=bool(args.attention),
    )
    start = checkpoint_path(args.start) if args.start else None
    checkpoint = recipe.train(
        sources, args.ofolder, config, network, start, on_save, diary.close_epoch, tuple(args.folds)
    )
    if args.v:
        say(f"Wrote {checkpoint}")


def make_config(args: argparse.Namespace, prepared: "PreparedSet | None") -> "TrainingConfig":
    """Turn the arguments into a configuration; a set sets the length of an epoch."""
    from deepspine_sct.data.bids import CONTRASTS
    from deepspine_sct.training.recipe import pick_device
    from deepspine_sct.training.trainer import TrainingConfig

    contrasts = None if args.c == "all" else (CONTRASTS[args.c],)
    n_images = len(prepared.select("train", contrasts)) if prepared else 0
    one_pass = max(1, round(n_images / args.batch)) if prepared else SIMULATED_EPOCH_STEPS
    epoch_steps = args.epoch_steps or one_pass
    steps = args.steps or args.epochs * epoch_steps
    return TrainingConfig(
        steps=steps,
        # A short training cannot wait as long for the rate to rise, nor average over as many steps.
        warmup=max(1, min(TrainingConfig.warmup, steps // 10)),
        average_decay=min(TrainingConfig.average_decay, max(0.0, 1 - 10 / steps)),
        batch_size=args.batch,
        learning_rate=args.lr,
        loss=args.loss,
        real_share=args.real if args.data else 1.0,
        attention_weight=args.look,
        flip_share=args.flip,
        contrast=args.c,
        seed=args.seed,
        device=pick_device(args.device),
        workers=args.workers,
        save_every=epoch_steps,
        patience=args.patience,
        sources=_name_sources(args),
    )


def _name_sources(args: argparse.Namespace) -> str:
    """Name what a training learns from: the set and the start by their content."""
    from deepspine_sct.data.prepared_set import INDEX
    from deepspine_sct.model.checkpoint import checksum

    files = {
        "-set": args.set / INDEX if args.set else None,
        "-start": checkpoint_path(args.start) if args.start else None,
    }
    parts = [f"{name}:{checksum(path)[:8]}" for name, path in files.items() if path and path.is_file()]
    return " ".join((["-data"] if args.data else []) + parts)


def _score_line(scores: dict[str, float]) -> str:
    images, rate, distance_mm = (
        scores[name] for name in ("images_all_named", "identification_rate", "distance_mean_mm")
    )
    return (
        f"identification rate {100 * rate:.1f} %, every name right in {100 * images:.0f} % of the images, "
        f"distance {distance_mm:.1f} mm"
    )


if __name__ == "__main__":
    sys.exit(main())
