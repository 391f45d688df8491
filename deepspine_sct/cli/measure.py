"""`sct_deepspine_measure`: a disc label file in, a table of distances and angles out."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from deepspine_sct.cli.parser import SctArgumentParser, run, say

PROG = "sct_deepspine_measure"

DESCRIPTION = """\
Measure the spine by the discs of a scan: the distance between neighbouring discs, the angle at each
disc, lordosis and kyphosis, and, with a segmented spinal cord, the extent of its vertebral levels.
Reads any disc label file: one voxel per disc at its posterior tip, with SCT's value. Writes a table
with the columns measure, level, value, unit and labels (the label file, seen from the folder of the
table), and files that show the discs in other viewers. What was made of other labels, or by
somebody else, is not replaced."""

EPILOG = """\
definitions:
  A vertebra points from the posterior tip of the disc above it to that of the disc below it, nearly
  along the posterior wall of its body (posterior tangent method, Harrison et al., Spine
  2000;25:2072 and 2001;26:E227, E235). An angle lies in the sagittal plane, between the first and
  the last vertebra of a curve, and is positive for lordosis.

examples:
  sct_deepspine_measure -i t2_labeled_discs.nii.gz
  sct_deepspine_measure -i t2_labeled_discs.nii.gz -s t2_seg.nii.gz -o t2.tsv -landmarks views
  for i in sub-*; do sct_deepspine_measure -i $i/t2_labeled_discs.nii.gz -o all.tsv -append 1; done"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(PROG, DESCRIPTION, usage="-i <file> [options]", epilog=EPILOG)
    parser.mandatory.add_argument(
        "-i", type=Path, required=True, metavar="<file>", help="Disc label file (.nii or .nii.gz)."
    )
    add = parser.optional.add_argument
    add(
        "-s",
        type=Path,
        metavar="<file>",
        help="Segmentation of the spinal cord, on any grid in the same world coordinates as the labels. Adds the "
        "length, the mean cross section and the axial slices of each vertebral level of the cord.",
    )
    add("-o", type=Path, metavar="<file>", help="Table to write (.tsv). Default: <labels>_measures.tsv.")
    add(
        "-append",
        type=int,
        choices=(0, 1),
        default=0,
        help="1: add to a table that is there; only rows of the same label file are replaced. 0: refuse a table that "
        "holds measures of other label files. Default: 0.",
    )
    add(
        "-landmarks",
        type=Path,
        metavar="<folder>",
        help="Folder of files for other viewers, created if needed: a point list for 3D Slicer (.mrk.json), a ball in "
        "place of each single voxel (.nii.gz), and the names and colours of the values for ITK-SNAP and FSLeyes.",
    )
    parser.add_misc_arguments()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), measure, argv)


def measure(args: Namespace) -> None:
    """Measure the discs of a label file.

    Raises
    ------
    DeepspineError
        When an input cannot be used or a file cannot be written.
    """
    from deepspine_sct.files.names import stem_of
    from deepspine_sct.files.outputs import check_ending, check_files, check_folder, make_folders
    from deepspine_sct.image.labels import check_distances, check_order, read_labels
    from deepspine_sct.image.nifti import read_grid
    from deepspine_sct.image.sform_qform import geometry_warnings
    from deepspine_sct.labeling.cord_levels import label_cord
    from deepspine_sct.labeling.cord_segmentation import read_cord
    from deepspine_sct.landmarks.measure_table import rows_of_others, write_table
    from deepspine_sct.landmarks.measures import measure_cord, measure_discs
    from deepspine_sct.landmarks.views import check_views, view_files, write_views

    table = args.o or Path(f"{stem_of(args.i)}_measures.tsv")
    check_ending(table, ".tsv", "a table")
    if args.landmarks:
        check_folder(args.landmarks)
    views = view_files(args.landmarks, stem_of(args.i)) if args.landmarks else {}
    check_files([table, *views.values()], filter(None, (args.i, args.s)))
    points = read_labels(args.i)
    for path in filter(None, (args.i, args.s)):
        for caution in geometry_warnings(path):
            print(f"Warning: {path}: {caution}", file=sys.stderr)
    check_order(args.i, points)
    check_distances(args.i, points)
    rows_of_others(table, args.i, bool(args.append))  # refused before any file is written
    if views:
        check_views(views, args.i)
    grid = read_grid(args.i)
    rows = list(measure_discs(points))
    if args.s:
        cord = read_cord(args.s, grid)
        labels = label_cord(cord, points)
        rows += measure_cord(cord, labels)
        for caution in labels.warnings:
            print(f"Warning: {args.s}: {caution}", file=sys.stderr)
    make_folders([table, *views.values()])
    if views:
        write_views(views, args.i, grid, points)
    write_table(table, args.i, rows, bool(args.append))
    if not rows:
        print(f"Warning: {args.i}: holds no two discs that are neighbours, so nothing was measured", file=sys.stderr)
    if args.v:
        for row in rows:
            say(f"{row.measure:20} {row.level:22} {row.value:9.1f} {row.unit}")
        for path in (table, *views.values()):
            say(f"Wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
