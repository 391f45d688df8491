"""`sct_deepspine_correct`: the corrections of the page in, label files out."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.messages import one_line
from deepspine_sct.cli.parser import SctArgumentParser, run, say
from deepspine_sct.errors import DeepspineError
from deepspine_sct.wording import counted

if TYPE_CHECKING:
    from deepspine_sct.quality_control.corrections import Correction

PROG = "sct_deepspine_correct"

DESCRIPTION = """\
Turn the corrections that were made on the page deepspine.html into label files: one voxel per disc
on the grid of the scan, with a JSON file beside it that says which network found the discs and
who corrected them. The page saves the corrections as corrections.json."""

EPILOG = """\
examples:
  sct_deepspine_correct -i corrections.json
  sct_deepspine_correct -i corrections.json -ofolder data/derivatives/labels -passed 1
  sct_deepspine_correct -i corrections.json -path-data /new/place/of/data

writes into -ofolder:
  sub-X[/ses-Y]/anat/<scan>_label-discs_dlabel.nii.gz and .json for a scan with a BIDS name; that
  is where `sct_deepspine_prepare` looks when -ofolder is <data>/derivatives/labels. Any other scan
  gets <scan>_labeled_discs.nii.gz and .json. `sct_deepspine_label -initlabel` takes each of them.
  Where all discs of a scan were deleted, its label file is removed, and the .json in its place says
  so: no command labels the scan there again unasked.
  Report, measures and levels of the cord that lie beside it, by the names that this program gives
  them, are removed where they were made from other labels. New measures are made by
  sct_deepspine_measure.

exit status:
  0 all label files were written, 1 error or some could not be written or removed, 2 wrong usage."""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(PROG, DESCRIPTION, usage="-i <file> [options]", epilog=EPILOG)
    parser.mandatory.add_argument(
        "-i", type=Path, required=True, metavar="<file>", help="Corrections that the page has saved (.json)."
    )
    add = parser.optional.add_argument
    add(
        "-ofolder",
        type=Path,
        default=Path("corrected"),
        metavar="<folder>",
        help="Folder of the label files; created if needed. Default: corrected.",
    )
    add(
        "-path-data",
        type=Path,
        metavar="<folder>",
        help="Where the images are, if they were moved after the page was made. Default: where the page saw them.",
    )
    add(
        "-passed",
        type=int,
        choices=(0, 1),
        default=0,
        help="1: also write the label files of the scans that were marked as passed. 0: write only those of the "
        "scans that were corrected. Default: 0.",
    )
    add(
        "-overwrite",
        type=int,
        choices=(0, 1),
        default=0,
        help="1: also replace or remove label files that were not made on the page, such as those of an expert, or "
        "that somebody has edited since. 0: leave them as they are, and say so. Default: 0.",
    )
    parser.add_misc_arguments()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), correct, argv)


def correct(args: Namespace) -> None:
    """Write the label files.

    Raises
    ------
    DeepspineError
        When the corrections cannot be read, two scans would get one label file, or some label
        files could not be written or removed.
    """
    from deepspine_sct.files.outputs import check_folder
    from deepspine_sct.quality_control.corrections import read_corrections

    check_folder(args.ofolder)
    corrections = read_corrections(args.i)
    chosen = [c for c in corrections if c.points and (c.corrected or (args.passed and c.mark == "pass"))]
    emptied = [c for c in corrections if c.corrected and not c.points]
    todo = [*chosen, *emptied]
    _refuse_one_file_for_two(todo, args.ofolder)
    written, failures = 0, 0
    for correction in todo:
        try:
            deeds = _carry_out(correction, args)
        except (DeepspineError, OSError) as error:  # the other scans can be written
            failures += 1
            print(f"failed: {one_line(error)}", file=sys.stderr)
        else:
            written += bool(correction.points)
            for deed in deeds if args.v else ():
                say(deed)
    if args.v:
        n_others = len(corrections) - len(chosen)
        say(
            f"{counted(written, 'label file')} written; {counted(n_others, 'other scan')} of the file "
            f"{'has' if n_others == 1 else 'have'} only marks or comments"
            + (f", or no disc left ({len(emptied)})" if emptied else "")
        )
    if failures:
        raise DeepspineError(
            f"{failures} of {counted(len(todo), 'label file')} could not be written or removed; the reasons are above"
        )


def _carry_out(correction: "Correction", args: Namespace) -> list[str]:
    """Write the label file of a scan, or remove the one of a scan without a disc; say what was done."""
    from deepspine_sct.quality_control.corrected_labels import remove_emptied, write_corrected

    overwrite = bool(args.overwrite)
    if correction.points:
        label, removed = write_corrected(correction, args.ofolder, args.path_data, overwrite)
        return [f"Wrote {label}", *(f"Removed {path}, as it was made from other labels" for path in removed)]
    told, removed = remove_emptied(correction, args.ofolder, args.path_data, overwrite)
    deeds = [f"Removed {path}, as no disc of the scan is left" for path in removed]
    return [*deeds, f"Wrote {told}, which says that no disc is left: no command labels the scan there again unasked"]


def _refuse_one_file_for_two(corrections: "Sequence[Correction]", ofolder: Path) -> None:
    from deepspine_sct.quality_control.corrected_labels import label_file

    taken: dict[Path, Path] = {}
    for correction in corrections:
        path = label_file(correction.image, ofolder)
        if path in taken:
            raise DeepspineError(
                f"{path}: would hold the labels of {taken[path]} and of {correction.image}; correct scans of the same "
                "name on separate pages"
            )
        taken[path] = correction.image


if __name__ == "__main__":
    sys.exit(main())
