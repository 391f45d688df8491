"""The arguments of `sct_deepspine_label`; their help is also the reference in the README."""

from deepspine_sct.cli.argument_types import contrast, disc_values, fraction, slice_and_disc
from deepspine_sct.cli.parser import SctArgumentParser

PROG = "sct_deepspine_label"
CONTRASTS = ("t1", "t2", "t2s", "pd", "stir", "psir", "other")

DESCRIPTION = """\
Find the intervertebral discs of a spinal MRI scan and name them. Writes one voxel per disc, at its
posterior tip in the mid-sagittal plane, with SCT's value: 1 = top of C1, 2 = C1/C2, 3 = C2/C3,
8 = C7/T1, 20 = T12/L1, 25 = L5/S1. The file has the grid of the image and is what SCT calls a disc
label file: the input of `sct_label_vertebrae -discfile` and `sct_register_to_template -ldisc`."""

EPILOG = """\
examples:
  sct_deepspine_label -i t2.nii.gz -c t2
  sct_deepspine_label -i t1.nii.gz -c t1 -ofolder labels -json labels/t1.json -qc qc
  sct_deepspine_label -i t2.nii.gz -c t2 -initz 68,4
  sct_deepspine_label -i t2.nii.gz -c t2 -with cervical.nii.gz t1.nii.gz localizer.nii.gz

exit status:
  0 all was written, 1 error, 2 wrong usage, 3 no disc was found and no file was written.
  With 1, no label file was written either, unless the message says that it is written and good."""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(PROG, DESCRIPTION, usage="-i <file> -c <contrast> [options]", epilog=EPILOG)
    _add_mandatory_arguments(parser)
    _add_cord_arguments(parser)
    _add_output_arguments(parser)
    _add_qc_arguments(parser)
    _add_start_arguments(parser)
    _add_model_arguments(parser)
    parser.add_misc_arguments(has_temporary_files=True)
    return parser


def _add_mandatory_arguments(parser: SctArgumentParser) -> None:
    parser.mandatory.add_argument(
        "-i",
        metavar="<file>",
        required=True,
        help="Image: 3-D NIfTI (.nii or .nii.gz), any orientation and voxel size.",
    )
    parser.mandatory.add_argument(
        "-c",
        type=contrast,
        choices=CONTRASTS,
        required=True,
        help="Contrast of the image; T1w and T2w will do as well. The network looks at every contrast in "
        "the same way; it was tested on t1 and t2, and any other one is reported with a warning.",
    )


def _add_cord_arguments(parser: SctArgumentParser) -> None:
    parser.optional.add_argument(
        "-s",
        metavar="<file>",
        help="Segmentation of the spinal cord, on any grid in the world of the image. Its vertebral "
        "levels go to <segmentation>_labeled.nii.gz and one voxel per disc, on the middle line of "
        "the cord, to <segmentation>_labeled_discs.nii.gz, beside the label file: what "
        "`sct_label_vertebrae -discfile` makes of it. SCT is not needed.",
    )
    parser.optional.add_argument(
        "-straighten",
        type=int,
        choices=(0, 1, 2),
        default=0,
        help="Look for the discs in a straight image. 0: in the image as it is. 1: straightened by "
        "`sct_straighten_spinalcord` along the cord (-s, else segmented by `sct_deepseg`, where its "
        "model is installed); only discs beside the segmented cord are found. 2: without SCT, for "
        "scoliosis: a second look, with the spine of the first one slid into one plane. Default: 0.",
    )


def _add_output_arguments(parser: SctArgumentParser) -> None:
    where = parser.optional.add_mutually_exclusive_group()
    where.add_argument(
        "-o", metavar="<file>", help="Label file to write (.nii or .nii.gz); its folder is made when missing."
    )
    where.add_argument(
        "-ofolder",
        metavar="<folder>",
        default=".",
        help="Folder to write <image>_labeled_discs.nii.gz into; made when missing. Default: the current folder.",
    )
    parser.optional.add_argument(
        "-json",
        metavar="<file>",
        help="Report to write: value, name, world position, voxel and confidence of every disc, "
        "confidence of the level assignment, warnings, versions, model checksum and seconds.",
    )
    parser.optional.add_argument(
        "-overlay",
        metavar="<file>",
        help="Picture to write (.png): the discs on the mid-sagittal image.",
    )
    parser.optional.add_argument(
        "-overlay-session",
        metavar="<file>",
        help="Picture to write (.png): the image and the scans given with -with side by side, at one height.",
    )
    parser.optional.add_argument(
        "-attention",
        metavar="<file>",
        help="Image to write (.nii or .nii.gz), on the grid of the input: where the network looked, "
        "from 0 to 1. A picture of the same name (.png) goes beside it.",
    )
    parser.optional.add_argument(
        "-heatmaps",
        metavar="<file>",
        help="Likewise: the probability of a disc, whichever, that the network saw at each place.",
    )


def _add_qc_arguments(parser: SctArgumentParser) -> None:
    parser.optional.add_argument(
        "-qc",
        metavar="<folder>",
        help="Folder of a quality-control page, deepspine.html; this scan is added to it.",
    )
    parser.optional.add_argument(
        "-qc-dataset",
        metavar="<name>",
        help="Data set named on the page. Default: the folder of the BIDS data set, else the third folder "
        "above the image.",
    )
    parser.optional.add_argument(
        "-qc-subject",
        metavar="<name>",
        help="Subject named on the page. Default: the one of the BIDS name, else the second folder above the image.",
    )


def _add_start_arguments(parser: SctArgumentParser) -> None:
    start = parser.optional.add_mutually_exclusive_group()
    start.add_argument(
        "-initlabel",
        metavar="<file>",
        help="Label file with one disc or more that you know; the names of all others follow.",
    )
    start.add_argument(
        "-initz",
        metavar="<slice>,<disc>",
        type=slice_and_disc,
        help="Slice and disc, by value or by name, e.g. 68,4 or 68,C3/C4 for C3/C4 in slice 68. Slices "
        "are counted from the lowest one, 0, upwards, as SCT does.",
    )
    start.add_argument(
        "-with",
        dest="beside",
        metavar="<file>",
        nargs="+",
        default=(),
        help="Other scans of the same session, in any contrast and of any part of the spine: a localizer, "
        "the other contrast, the neck. They help to name the discs of the image; nothing is written for "
        "them. A movement of up to 15 mm between the scans is found, and a scan that does not fit is left "
        "out with a warning that says why.",
    )
    parser.optional.add_argument(
        "-discs",
        metavar="<values>",
        type=disc_values,
        help="Discs to look for, e.g. 3:11, 3-11, 3,4,5 or C2/C3:T2/T3. Default: all, 1 to 25.",
    )


def _add_model_arguments(parser: SctArgumentParser) -> None:
    parser.optional.add_argument(
        "-thr",
        metavar="<number>",
        type=fraction,
        help="Strength, between 0 and 1, from which a spot counts as a disc. Default: the model's.",
    )
    parser.optional.add_argument(
        "-device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="Where the network runs. Default: auto, which is the CPU, and for a .safetensors file "
        "given with -model a GPU where there is one.",
    )
    parser.optional.add_argument(
        "-model",
        metavar="<file>",
        help="Network to use: a checkpoint (.safetensors) or its export (.onnx). Default: the one that is installed.",
    )
