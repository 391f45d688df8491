"""The arguments of `sct_deepspine_label`; their help is also the reference in the README."""

from deepspine_sct.cli.argument_types import disc_values, fraction, slice_and_disc
from deepspine_sct.cli.parser import SctArgumentParser
from deepspine_sct.model.device import DEVICES
from deepspine_sct.scan.contrasts import CONTRASTS, contrast

PROG = "sct_deepspine_label"

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
  0 all files were written, 1 error, 2 wrong usage, 3 no disc was found and no file was written.
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
        help="Image: 3-D NIfTI (.nii or .nii.gz), any orientation, voxels of at most 6 mm seen from the side.",
    )
    parser.mandatory.add_argument(
        "-c",
        type=contrast,
        choices=CONTRASTS,
        required=True,
        help="Contrast of the image; T1w and T2w are accepted as well. The network treats every contrast in "
        "the same way. It was tested on t1 and t2 only; any other contrast gives a warning.",
    )


def _add_cord_arguments(parser: SctArgumentParser) -> None:
    parser.optional.add_argument(
        "-s",
        metavar="<file>",
        help="Segmentation of the spinal cord, on any grid in the same world coordinates as the image. Its "
        "vertebral levels are written to <segmentation>_labeled.nii.gz, and one voxel per disc on the "
        "centreline of the cord to <segmentation>_labeled_discs.nii.gz, beside the label file. These are "
        "the files that `sct_label_vertebrae -discfile` would write. SCT is not needed.",
    )
    parser.optional.add_argument(
        "-straighten",
        type=int,
        choices=(0, 1, 2),
        default=0,
        help="Look for the discs in a straightened image. 0: the image as it is. 1: straightened by "
        "`sct_straighten_spinalcord` along the cord, which is given with -s or else segmented by "
        "`sct_deepseg` if its model is installed; only discs beside the segmented cord are found. 2: for "
        "scoliosis, without SCT: the network looks twice, and for the second time every axial row is shifted "
        "sideways so that the spine found first lies in one plane. Default: 0.",
    )


def _add_output_arguments(parser: SctArgumentParser) -> None:
    where = parser.optional.add_mutually_exclusive_group()
    where.add_argument(
        "-o", metavar="<file>", help="Label file to write (.nii or .nii.gz); its folder is created if needed."
    )
    where.add_argument(
        "-ofolder",
        metavar="<folder>",
        default=".",
        help="Folder to write <image>_labeled_discs.nii.gz into; created if needed. Default: the current folder.",
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
        help="Picture to write (.png): the image and the scans given with -with, side by side and aligned in height.",
    )
    parser.optional.add_argument(
        "-attention",
        metavar="<file>",
        help="Image to write (.nii or .nii.gz), on the grid of the input: where the network looked, "
        "from 0 to 1. A picture of the same name (.png) is written beside it.",
    )
    parser.optional.add_argument(
        "-heatmaps",
        metavar="<file>",
        help="Image to write, with a picture beside it as for -attention: the probability of any disc, "
        "whatever its name, at each voxel.",
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
        help="Data set named on the page. Default: the folder of the BIDS data set, or the third folder "
        "above the image if it has no BIDS name.",
    )
    parser.optional.add_argument(
        "-qc-subject",
        metavar="<name>",
        help="Subject named on the page. Default: the subject in the BIDS name, or the second folder above "
        "the image if it has no BIDS name.",
    )


def _add_start_arguments(parser: SctArgumentParser) -> None:
    start = parser.optional.add_mutually_exclusive_group()
    start.add_argument(
        "-initlabel",
        metavar="<file>",
        help="Label file with one or more discs that you know; the other discs are named from them.",
    )
    start.add_argument(
        "-initz",
        metavar="<slice>,<disc>",
        type=slice_and_disc,
        help="Slice and disc, by value or by name, e.g. 68,4 or 68,C3/C4 for C3/C4 in slice 68. Slices are "
        "counted upwards from the lowest one, which is 0, as in SCT. The table counts voxels along the axes of "
        "the file: where that axis runs downwards and has n voxels, the slice is n - 1 - voxel.",
    )
    start.add_argument(
        "-with",
        dest="beside",
        metavar="<file>",
        nargs="+",
        default=(),
        help="Other scans of the same session, in any contrast and of any part of the spine: a localizer, "
        "the other contrast, the neck. They help to name the discs of the image; nothing is written for "
        "them. A movement of up to 15 mm between the scans is found and taken into account. A scan that does "
        "not fit is left out, and a warning says why.",
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
        help="Lowest probability of any disc, between 0 and 1, at which a peak of the heatmaps counts as a "
        "possible disc. With a lower value fainter discs are found, and perhaps some that are none. Default: 0.15.",
    )
    parser.optional.add_argument(
        "-device",
        choices=DEVICES,
        default="auto",
        help="Where the network runs. Default: auto, which takes the CPU; for a .safetensors file given "
        "with -model it takes a GPU if there is one.",
    )
    parser.optional.add_argument(
        "-model",
        metavar="<file>",
        help="Network to use: a checkpoint (.safetensors) or its export (.onnx). Default: the one that is installed.",
    )
