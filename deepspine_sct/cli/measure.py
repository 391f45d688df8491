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
with the columns measure, level, value and unit, and files that show the discs in other viewers."""

EPILOG = """\
definitions:
  A vertebra points from the posterior tip of the disc above it to that of the disc below it, nearly
  along the posterior wall of its body (posterior tangent method, Harrison et al., Spine
  2000;25:2072 and 2001;26:E227, E235). An angle lies in the sagittal plane, between the first and
  the last vertebra of a curve, and is positive for lordosis.

examples:
  sct_deepspine_measure -i t2_labeled_discs.nii.gz
  sct_deepspine_measure -i t2_labeled_discs.nii.gz -s t2_seg.nii.gz -o t2.tsv -landmarks views"""


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
    from deepspine_sct.image.labels import check_order, read_labels
    from deepspine_sct.image.nifti import read_volume
    from deepspine_sct.labeling.cord_levels import label_cord, read_cord
    from deepspine_sct.landmarks.measures import measure_cord, measure_discs, write_measures

    points = read_labels(args.i)
    check_order(args.i, points)
    grid = read_volume(args.i, lazy=True).grid
    rows = list(measure_discs(points))
    if args.s:
        cord = read_cord(args.s, grid)
        rows += measure_cord(cord, label_cord(cord, points).levels, points)
    table = args.o or Path(f"{stem_of(args.i)}_measures.tsv")
    write_measures(table, rows)
    written = [table]
    if args.landmarks:
        written += write_landmarks(args.landmarks, stem_of(args.i), args.i, grid, points)
    if args.v:
        for row in rows:
            say(f"{row.measure:20} {row.level:22} {row.value:9.1f} {row.unit}")
        for path in written:
            say(f"Wrote {path}")


def write_landmarks(folder: Path, stem: str, like: Path, grid, points) -> list[Path]:
    """Write the files for other viewers and name them."""
    from deepspine_sct.files.atomic import atomic_path
    from deepspine_sct.image.nifti import write_volume
    from deepspine_sct.landmarks import viewers

    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        f"{stem}.mrk.json": viewers.slicer_markups(points),
        "discs_itksnap.txt": viewers.itksnap_labels(),
        "discs_fsleyes.lut": viewers.fsleyes_lut(),
    }
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    balls = folder / f"{stem}_balls.nii.gz"
    write_volume(balls, viewers.draw_balls(grid, points), like=like)
    return [*(folder / name for name in texts), balls]


if __name__ == "__main__":
    sys.exit(main())
