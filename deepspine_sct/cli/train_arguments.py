"""The arguments of `sct_deepspine_train`."""

from pathlib import Path

from deepspine_sct.cli.argument_types import count, count_or_none, disc_count, positive, share
from deepspine_sct.cli.parser import SctArgumentParser
from deepspine_sct.model.device import DEVICES
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.scan.contrasts import contrast
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.folds import N_FOLDS, SHIPPED

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
        "that comes with the package. A network that sct_deepspine_import has made cannot be trained further.",
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
        choices=DEVICES,
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
