"""`sct_deepspine_train`: train a network on simulated spines, on a prepared set, or on both."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.argument_types import (
    checkpoint_path,
    count,
    count_or_none,
    disc_count,
    positive,
    share,
)
from deepspine_sct.cli.parser import SctArgumentParser, run, say
from deepspine_sct.files.outputs import check_folder
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.scan.contrasts import contrast
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.folds import N_FOLDS, SHIPPED

if TYPE_CHECKING:
    from deepspine_sct.data.prepared_set import PreparedSet

PROG = "sct_deepspine_train"

DESCRIPTION = """\
Train a network on simulated spines (-data), on a prepared set (-set), or on a mix of both (-real).
After every epoch the network labels the validation part of the set, or simulated scans where there
is no set. A training that was stopped goes on from its last epoch when the command is called again
with the same arguments, and it comes to the same result as if it had never been stopped."""

EPILOG = """\
writes into -ofolder:
  network.safetensors  the averaged weights after the last epoch
  best.safetensors     those of the best epoch, ready for sct_deepspine_label -model. The best epoch
                       has the highest identification rate in validation. Of equal epochs it is the
                       one with every name right in the most images, and of these the last one
  log.csv, curves.png  the losses and the validation scores of every epoch
  convergence.gif      the same validation images after every epoch, made of the pictures in frames/
  state.pt             what is needed to go on with a training that was stopped

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
    parser.mandatory.add_argument(
        "-ofolder", type=Path, required=True, metavar="<folder>", help="Folder to write the training into."
    )
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
        "head/icbm152_t1.nii.gz. Where there are folders slices/ and lumbar/, annotated real slices and real lumbar "
        "scans are read from them.",
    )
    add("-set", type=Path, metavar="<folder>", help="Set that sct_deepspine_prepare has made.")
    add(
        "-real",
        type=share,
        default=TrainingConfig.real_share,
        metavar="<share>",
        help="With -data: share of real images among the training images; the others are simulated. "
        "Default: %(default)g.",
    )
    add("-c", type=contrast, choices=("t1", "t2", "all"), default="all", help="Contrast to train on. Default: all.")
    add(
        "-flip",
        type=share,
        default=TrainingConfig.flip_share,
        metavar="<share>",
        help="Share of the images that are mirrored front to back. The original network was trained with one half; no "
        "real spine looks like that, and docs/tutorial.md shows what it costs. Default: %(default)g.",
    )


def _add_schedule_arguments(parser: SctArgumentParser) -> None:
    length = parser.optional.add_mutually_exclusive_group()
    length.add_argument(
        "-epochs", type=count, default=200, metavar="<n>", help="Number of epochs. Default: %(default)s."
    )
    length.add_argument(
        "-steps", type=count, metavar="<n>", help="Total number of optimiser steps, instead of -epochs."
    )
    add = parser.optional.add_argument
    add(
        "-epoch-steps",
        type=count,
        metavar="<n>",
        help="Optimiser steps per epoch. By default every training image of the set is shown once; without a set "
        f"there are {TrainingConfig.save_every} steps.",
    )
    add(
        "-batch",
        type=count,
        default=TrainingConfig.batch_size,
        metavar="<n>",
        help="Number of images per optimiser step. Default: %(default)s.",
    )
    add(
        "-lr",
        type=positive,
        default=TrainingConfig.learning_rate,
        metavar="<rate>",
        help="Learning rate. It rises over the first steps and falls over the last ones. Default: %(default)g.",
    )
    add(
        "-patience",
        type=count_or_none,
        default=TrainingConfig.patience,
        metavar="<n>",
        help="Stop when the identification rate has not risen for this many epochs. Default: %(default)s, which means "
        "that training never stops early.",
    )
    add(
        "-echoes",
        type=count_or_none,
        default=TrainingConfig.echoes,
        metavar="<n>",
        help="Number of further times that each image is learnt, some steps later and altered: turned, cut and "
        "recoloured. It pays on a GPU, where images take longer to make than to learn. Default: %(default)s.",
    )
    add("-seed", type=count_or_none, default=0, metavar="<n>", help="Seed of the weights and of the data. Default: 0.")
    add(
        "-folds",
        type=int,
        choices=range(N_FOLDS),
        nargs="+",
        default=[SHIPPED],
        metavar="<k>",
        help=f"Folds of the lumbar subjects of -data, from 0 to {N_FOLDS - 1}. For each fold one network is trained "
        "that never sees its subjects. All networks train together, on the same images; all but the first are "
        f"written into subfolders fold_<k>. Default: {SHIPPED}, which is the fold of the installed network.",
    )
    add(
        "-look",
        type=share,
        default=TrainingConfig.attention_weight,
        metavar="<weight>",
        help="Weight of the loss that teaches the attention map to look at discs. With 0 it is not taught. "
        "Default: %(default)g.",
    )


def _add_network_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-start",
        type=Path,
        metavar="<file>",
        help="Checkpoint whose weights and architecture the training starts from, or the word installed for the one "
        "that comes with the package.",
    )
    add(
        "-loss",
        choices=("cross_entropy", "mse"),
        default=TrainingConfig.loss,
        help="What is minimised: cross_entropy chooses between all discs and the background at every pixel; mse is "
        "the squared error of one heatmap per disc, as in the original. Default: %(default)s.",
    )
    add(
        "-stacks",
        type=count,
        metavar="<n>",
        help=f"Number of hourglasses, one after the other. Default: {HourglassConfig.n_stacks}. With -start, training "
        "continues with this number of the first hourglasses of that network; by default with all of them.",
    )
    add(
        "-blocks",
        type=count,
        default=HourglassConfig.n_blocks,
        metavar="<n>",
        help="Number of residual blocks at each place of an hourglass. Default: %(default)s.",
    )
    add(
        "-features",
        type=count,
        default=HourglassConfig.n_features,
        metavar="<n>",
        help="Number of feature channels in the network. Default: %(default)s.",
    )
    add(
        "-discs",
        type=disc_count,
        metavar="<n>",
        help="Number of discs that the network can name, counted from the first one downwards. Default: all.",
    )
    add(
        "-attention",
        type=int,
        choices=(0, 1),
        default=int(HourglassConfig.attention),
        help="1: the network has an attention map. 0: it has none. Default: %(default)s.",
    )


def _add_machine_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="Where to train: cpu, cuda (a GPU), or auto, which takes a GPU where there is one. Default: %(default)s.",
    )
    add(
        "-threads",
        type=count,
        default=1,
        metavar="<n>",
        help="Number of threads of the optimiser. Leave some cores to the -workers. Default: 1.",
    )
    add(
        "-workers",
        type=count_or_none,
        default=TrainingConfig.workers,
        metavar="<n>",
        help="Number of processes that make the images. Default: %(default)s.",
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
    check_folder(args.ofolder)
    # Before torch loads: threads that spin while they wait cost tenfold on a busy machine.
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.evaluation.training_diary import Diary
    from deepspine_sct.evaluation.validation import validate
    from deepspine_sct.labeling.predictor import Predictor
    from deepspine_sct.training import recipe
    from deepspine_sct.training.held_out import held_out

    recipe.use_threads(args.threads)
    prepared = read_set(args.set) if args.set else None
    config = make_config(args, prepared)
    sources = recipe.read_sources(args.data, prepared, config)
    cases = held_out(sources, args.c)
    diary = Diary(args.ofolder)

    def on_save(path: Path, step: int) -> dict[str, float]:
        epoch = -(-step // config.save_every)
        if not cases:
            print(f"epoch {epoch}: there is no image to validate on", file=sys.stderr)
            return {}
        scores, results = validate(Predictor.load(path, config.device), cases)
        diary.add(step, cases, results, scores)
        if args.v:
            say(f"epoch {epoch}, step {step}: {_score_line(scores)}")
        return scores

    network = HourglassConfig(
        n_stacks=args.stacks or HourglassConfig.n_stacks,
        n_blocks=args.blocks,
        n_features=args.features,
        attention=bool(args.attention),
        **({"n_discs": args.discs} if args.discs else {}),
    )
    start = checkpoint_path(args.start) if args.start else None
    checkpoint = recipe.train(
        sources, args.ofolder, config, network, start, on_save, diary.close_epoch, tuple(args.folds), args.stacks
    )
    if args.v:
        say(f"Wrote {checkpoint}")


def make_config(args: argparse.Namespace, prepared: "PreparedSet | None") -> TrainingConfig:
    """Turn the arguments into a configuration; a set sets the length of an epoch."""
    from deepspine_sct.data.bids import CONTRASTS
    from deepspine_sct.training.recipe import pick_device

    contrasts = None if args.c == "all" else (CONTRASTS[args.c],)
    n_images = len(prepared.select("train", contrasts)) if prepared else 0
    one_pass = max(1, round(n_images / args.batch)) if prepared else TrainingConfig.save_every
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
        echoes=args.echoes,
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
