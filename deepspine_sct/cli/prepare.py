"""`sct_deepspine_prepare`: a BIDS data set in, a set for training and evaluation out."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from deepspine_sct.cli.argument_types import count_or_none, positive, shares
from deepspine_sct.cli.parser import SctArgumentParser, run, say
from deepspine_sct.data.bids import LABEL_FOLDER
from deepspine_sct.errors import DeepspineError
from deepspine_sct.scan.contrasts import contrast
from deepspine_sct.wording import counted

if TYPE_CHECKING:
    from deepspine_sct.anatomy import Points
    from deepspine_sct.data.bids import Scan
    from deepspine_sct.data.preparation import Straighten
    from deepspine_sct.image.volume import Volume

PROG = "sct_deepspine_prepare"

DESCRIPTION = """\
Find the spine scans of a BIDS data set and their disc labels, check them, cut the sagittal slabs
that the network sees, and split the subjects into training, validation and test. What cannot be
used is left out, and the reason is printed."""

EPILOG = """\
looks for:
  sub-X/anat/sub-X_T2w.nii.gz and its labels, one voxel per disc at its posterior tip,
  derivatives/labels/sub-X/anat/sub-X_T2w_label-discs_dlabel.nii.gz or
  derivatives/labels/sub-X/anat/sub-X_T2w_labels-disc-manual.nii.gz; likewise T1w, and sessions.

writes into -o:
  set.json  what the set holds, how it was made, and what was left out and why
  slabs/    one NumPy archive per image"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(PROG, DESCRIPTION, usage="-path-data <folder> -o <folder> [options]", epilog=EPILOG)
    add = parser.mandatory.add_argument
    add("-path-data", type=Path, required=True, metavar="<folder>", help="The BIDS data set to prepare.")
    add(
        "-o",
        type=Path,
        required=True,
        metavar="<folder>",
        help="Folder to write the set into. It is made when it is missing.",
    )
    _add_input_arguments(parser)
    _add_split_arguments(parser)
    parser.add_misc_arguments()
    return parser


def _add_input_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-c",
        type=contrast,
        choices=("t1", "t2", "all"),
        default="all",
        help="Contrast of the images to take. Default: all.",
    )
    add(
        "-label-suffix",
        action="append",
        metavar="<text>",
        help="What follows the image's name in the name of its labels, e.g. _labels-disc. The option may be "
        "given several times; the first file that exists is used. Default: the two names below.",
    )
    add(
        "-label-folder",
        default=LABEL_FOLDER,
        metavar="<folder>",
        help="Folder below the data set in which the labels lie. Default: %(default)s.",
    )
    add(
        "-spacing",
        type=positive,
        default=2.0,
        metavar="<mm>",
        help="Size of a pixel of the slabs. A network works on one size only. Default: 2.",
    )
    add(
        "-straighten",
        metavar="<text>",
        help="Straighten the spinal cord with SCT before the slabs are cut. The text is what follows the image's "
        "name in the name of its cord segmentation, e.g. _seg; the segmentation lies beside the labels.",
    )


def _add_split_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-split",
        type=shares,
        default=(0.8, 0.1, 0.1),
        metavar="<a>,<b>,<c>",
        help="Shares of the subjects in training, validation and test. Default: 0.8,0.1,0.1.",
    )
    add(
        "-split-by",
        choices=("subject", "site"),
        default="subject",
        help="What is kept together in one part: all images of a subject or of a site. Sites are read from "
        "participants.tsv (column site or institution_id), and otherwise from names such as sub-amu01. "
        "Default: subject.",
    )
    add("-seed", type=count_or_none, default=0, metavar="<n>", help="Seed of the split. Default: 0.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), prepare, argv)


def prepare(args: argparse.Namespace) -> None:
    """Prepare a set as the arguments say.

    Raises
    ------
    DeepspineError
        When the data set cannot be used.
    """
    from deepspine_sct.data.bids import CONTRASTS, LABEL_SUFFIXES, find_scans
    from deepspine_sct.data.preparation import SlabSpec
    from deepspine_sct.data.preparation import prepare as prepare_set
    from deepspine_sct.data.split import split_subjects
    from deepspine_sct.files.outputs import check_folder, same_file

    if same_file(args.o, args.path_data):
        raise DeepspineError(f"{args.o}: is the data set itself; give another folder for the prepared set")
    check_folder(args.o)
    contrasts = tuple(CONTRASTS.values()) if args.c == "all" else (CONTRASTS[args.c],)
    suffixes = tuple(args.label_suffix or LABEL_SUFFIXES)
    scans = find_scans(args.path_data, contrasts, suffixes, args.label_folder)
    by_site = args.split_by == "site"
    # What cannot be split is said now, not after all images were read.
    split_subjects({scan.subject: scan.site for scan in scans}, args.split, by_site, args.seed)
    made = prepare_set(
        _with_progress(scans),
        args.o,
        SlabSpec(spacing_mm=args.spacing),
        args.split,
        by_site,
        args.seed,
        _straightener(args.straighten) if args.straighten else None,
    )
    for entry in made.description["dropped"]:
        print("Left out", *f"{entry['image']}: {entry['reason']}".split(), file=sys.stderr)  # one line
    if args.v == 0:
        return
    for part in ("train", "val", "test"):
        cases = made.select(part)
        contrast = ", ".join(f"{n} {name}" for name, n in Counter(c.contrast for c in cases).items())
        n_subjects = len({case.subject for case in cases})
        say(f"{part}: {counted(n_subjects, 'subject')}, {counted(len(cases), 'image')} ({contrast or 'none'})")
    say(f"Left out: {len(made.description['dropped'])}")
    say(f"Wrote {args.o}")


def _with_progress(scans: list) -> list:
    from tqdm import tqdm

    return tqdm(scans, disable=None, unit="image")


def _straightener(suffix: str) -> "Straighten":
    """Make the step that straightens a scan with SCT, along the cord segmentation by its labels."""
    from deepspine_sct.sct.environment import find_command
    from deepspine_sct.sct.straightening import straighten

    find_command("sct_straighten_spinalcord")  # said now, not once an image

    def run_sct(scan: "Scan", points: "Points") -> "tuple[Volume, Points]":
        cord = scan.label.with_name(f"{scan.stem}{suffix}.nii.gz")
        if not cord.exists():
            raise DeepspineError(f"{cord}: no such segmentation of the cord; see -straighten")
        with TemporaryDirectory() as folder:
            work = Path(folder)
            straight = straighten(scan.image.resolve(), cord.resolve(), work, [work])
        return straight.image, straight.straighten(points)

    return run_sct


if __name__ == "__main__":
    sys.exit(main())
