"""The arguments of `sct_deepspine_evaluate`."""

from pathlib import Path

from deepspine_sct.cli.argument_types import count_or_none, named, positive
from deepspine_sct.cli.parser import SctArgumentParser
from deepspine_sct.data.bids import LABEL_FOLDER
from deepspine_sct.model.device import DEVICES
from deepspine_sct.scan.contrasts import contrast

PROG = "sct_deepspine_evaluate"

DESCRIPTION = """\
Score disc files of any tool (-pred) and networks (-model) against the truth: a BIDS data set with
disc labels (-path-data) or a prepared set (-set). A disc counts as found when the disc OF ITS NAME
lies within the tolerance; shifted and swapped names are errors. All tools are scored on the same
images."""

EPILOG = """\
writes into -ofolder:
  index.html    tables, figures and the worst images, in one file
  summary.csv   and .json: each tool over all images, each contrast, each site and each level, with
                95 % intervals, in which the subjects count and not their images and discs:
                Wilson's of shares, Student's t on the logarithm of means
  discs.csv     every disc of every image and tool
  *.png         distance per level, confusion of levels, the worst images

examples:
  sct_deepspine_evaluate -set set -model ours=run/best.safetensors -ofolder report
  sct_deepspine_evaluate -path-data data -ofolder report \\
      -pred ours=out/{stem}_labeled_discs.nii.gz -pred other=other/{subject}/{stem}_discs.nii.gz"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(
        PROG,
        DESCRIPTION,
        usage="-set|-path-data <folder> -ofolder <folder> -pred|-model <name>=<...>",
        epilog=EPILOG,
    )
    truth = parser.mandatory.add_mutually_exclusive_group(required=True)
    truth.add_argument(
        "-set",
        type=Path,
        metavar="<folder>",
        help="Prepared set with the truth. Networks label its scans with every step of "
        "sct_deepspine_label. Of a scan that is gone or was straightened, they label the slabs.",
    )
    truth.add_argument("-path-data", type=Path, metavar="<folder>", help="BIDS data set with it, in place of -set.")
    add = parser.mandatory.add_argument
    add("-ofolder", type=Path, required=True, metavar="<folder>", help="Folder to write the report into.")
    _add_tool_arguments(parser)
    _add_truth_arguments(parser)
    _add_score_arguments(parser)
    parser.add_misc_arguments()
    return parser


def _add_tool_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-pred",
        action="append",
        type=named,
        default=[],
        metavar="<name>=<pattern>",
        help="A tool's name and where its disc files lie, with {stem} (image name without suffix), "
        "{subject}, {session}, {contrast} and {folder} (of the image, as it lies in the data set: "
        "sub-01/anat). Discs 1 and 2 of `sct_deepseg spine` lie at other places than here; if the files "
        "of a tool come from it, these two discs are left out for all tools. May be given several times.",
    )
    add(
        "-model",
        action="append",
        type=named,
        default=[],
        metavar="<name>=<file>",
        help="A name, and a checkpoint to label the images with or the word installed, which stands for the "
        "checkpoint that comes with the package. May be given several times. At least one -pred or -model is "
        "needed.",
    )
    add(
        "-attention",
        action="store_true",
        help="Write where each network looked, attention/<name>/<image>.nii.gz and .png, on the "
        "grid of the scan (or of its slabs, if -set no longer finds the scan).",
    )
    add(
        "-heatmaps",
        action="store_true",
        help="Write, in the same way, the probability of any disc: heatmaps/<name>/<image>.nii.gz and .png.",
    )
    add(
        "-device",
        choices=DEVICES,
        default="auto",
        help="Where the networks run: cpu, cuda, or auto, which takes a GPU where there is one. Default: auto.",
    )


def _add_truth_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-part",
        choices=("train", "val", "test", "all"),
        help="With -set: part of the prepared set that is scored. Default: test.",
    )
    add(
        "-c",
        type=contrast,
        choices=("t1", "t2", "all"),
        default="all",
        help="Contrast of the images that are scored. Default: all.",
    )
    add(
        "-label-suffix",
        action="append",
        metavar="<text>",
        help="With -path-data: what follows the image's name in the name of its labels, as in sct_deepspine_prepare.",
    )
    add(
        "-label-folder",
        default=LABEL_FOLDER,
        metavar="<folder>",
        help="With -path-data: folder below the data set in which the labels lie. Default: %(default)s.",
    )


def _add_score_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-tolerance",
        type=positive,
        default=5.0,
        metavar="<mm>",
        help="Largest distance at which a disc still counts as found. Default: 5.",
    )
    add(
        "-span",
        type=int,
        choices=(0, 1),
        default=1,
        help="1: discs above and below all true ones do not count, because experts do not mark every "
        "visible disc. 0: they count as false. Default: 1.",
    )
    add(
        "-worst",
        type=count_or_none,
        default=4,
        metavar="<n>",
        help="Number of images per tool that are drawn: those with the most errors. Default: 4.",
    )
