"""The arguments of `sct_deepspine_batch`: a BIDS App, with SCT's -v and -h."""

from argparse import SUPPRESS

from deepspine_sct.cli.argument_types import count, positive
from deepspine_sct.cli.parser import SctArgumentParser
from deepspine_sct.scan.contrasts import contrast

PROG = "sct_deepspine_batch"

DESCRIPTION = """\
Find and name the intervertebral discs in every T1w and T2w scan of a BIDS data set. Writes a BIDS
derivative data set: for each scan a disc label file, a JSON file that says how it was made, a
report and a log; tables of all scans, discs and measures; and deepspine.html, a page of all scans,
on which labels can be corrected and which begins with the scans to look at first. Scans that are
already labelled are not labelled again, so the command can be run as often as you like."""

EPILOG = """\
looks for:
  sub-<label>[/ses-<label>]/anat/*_T1w.nii[.gz] and *_T2w.nii[.gz]; links are followed. Scans with a
  similar name (_T2W, _T2w__dup-01), in another format or in another folder are listed and skipped.

examples:
  sct_deepspine_batch data data/derivatives/deepspine participant
  sct_deepspine_batch data data/derivatives/deepspine group
  sct_deepspine_batch data out participant --participant-label 01 02 --n-procs 8 --qc
  sct_deepspine_batch data out participant --scheduler tcp://login1:8786

at the end the command prints, and writes to logs/summary.txt:
  N labelled, M of them to look at, with the reason for each; K failed, with the reason for each;
  J skipped, with the reasons.

exit status:
  0 every scan was labelled or skipped, even if there are scans to look at, 1 error or some scans
  failed, 2 wrong usage."""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(
        PROG,
        DESCRIPTION,
        usage="<bids_dir> <output_dir> {participant,group} [options]",
        epilog=EPILOG,
    )
    parser.mandatory.add_argument("bids_dir", metavar="bids_dir", help="BIDS data set to read.")
    parser.mandatory.add_argument("output_dir", metavar="output_dir", help="Folder to write into; created if needed.")
    parser.mandatory.add_argument(
        "analysis_level",
        choices=("participant", "group"),
        help="participant: label the scans. group: write the tables and the page of the results that exist.",
    )
    _add_choice_arguments(parser)
    _add_run_arguments(parser)
    _add_machine_arguments(parser)
    parser.add_misc_arguments(is_bids_app=True)
    return parser


def _add_choice_arguments(parser: SctArgumentParser) -> None:
    parser.optional.add_argument(
        "--participant-label",
        metavar="<label>",
        nargs="+",
        default=[],
        help="Participants to label, with or without the prefix sub-. Default: all.",
    )
    parser.optional.add_argument(
        "--session-label",
        metavar="<label>",
        nargs="+",
        default=[],
        help="Sessions to label, with or without the prefix ses-. Default: all.",
    )
    for name in ("--participant_label", "--session_label"):  # as other BIDS Apps spell them
        parser.optional.add_argument(name, nargs="+", default=SUPPRESS, help=SUPPRESS)
    which = parser.optional.add_mutually_exclusive_group()
    which.add_argument(
        "--contrast",
        nargs="+",
        type=contrast,
        choices=("t1", "t2"),
        default=["t1", "t2"],
        help="Contrasts to label. Default: both.",
    )
    which.add_argument(
        "--suffix",
        metavar="<suffix>",
        nargs="+",
        help="BIDS suffixes of the scans to label, instead of T1w and T2w, on which the network was tested. "
        "Suffixes that BIDS does not know, such as STIR, are accepted as well.",
    )
    parser.optional.add_argument(
        "--joint",
        action="store_true",
        help="Name the discs of all scans of a session together: both contrasts, and parts of the spine that "
        "were scanned one after the other. The report of each scan says what the other scans changed. For a "
        "scan that does not fit, which is named alone, it says why.",
    )
    parser.optional.add_argument(
        "--derivatives-seg",
        metavar="<folder>",
        help="Folder of spinal cord segmentations, with the same subfolders as the data set. Each file has the "
        "name of its scan and an ending such as _seg, _label-SC_seg, _label-SC_mask, _desc-sc_seg or "
        "_label-cord_mask. The vertebral levels of each cord are written beside the discs.",
    )


def _add_run_arguments(parser: SctArgumentParser) -> None:
    again = parser.optional.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="Label the scans whose results are missing, have failed, or were made with another network, version "
        "or input. This is the default.",
    )
    again.add_argument(
        "--force",
        action="store_true",
        help="Label every scan again. Label files that were corrected by hand stay.",
    )
    parser.optional.add_argument(
        "--dry-run",
        action="store_true",
        help="Print what would be done, and do nothing. Only for the level participant.",
    )
    parser.optional.add_argument("--qc", action="store_true", help="Draw pictures of every scan, which the page shows.")
    parser.optional.add_argument(
        "--model",
        metavar="<file>",
        help="Network to use (.safetensors or .onnx). Default: the one that is installed.",
    )


def _add_machine_arguments(parser: SctArgumentParser) -> None:
    where = parser.optional.add_mutually_exclusive_group()
    where.add_argument(
        "--n-procs",
        metavar="<number>",
        type=count,
        help="Number of worker processes, each on one core. Default: one for each core.",
    )
    where.add_argument(
        "--scheduler",
        metavar="<address>",
        help="Dask scheduler, such as tcp://login1:8786, whose workers label the scans.",
    )
    parser.optional.add_argument(
        "--timeout",
        metavar="<seconds>",
        type=positive,
        default=600.0,
        help="Longest time for one scan; a scan that takes longer has failed. Default: 600.",
    )
    parser.optional.add_argument(
        "--memory",
        metavar="<GB>",
        type=positive,
        default=4.0,
        help="Largest memory of one worker; a scan that needs more has failed. Default: 4.",
    )
