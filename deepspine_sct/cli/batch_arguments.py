"""The arguments of `sct_deepspine_batch`: a BIDS App, with SCT's -v and -h."""

from argparse import SUPPRESS

from deepspine_sct.cli.argument_types import contrast, count, positive
from deepspine_sct.cli.parser import SctArgumentParser

PROG = "sct_deepspine_batch"

DESCRIPTION = """\
Find and name the intervertebral discs in every T1w and T2w scan of a BIDS data set. Writes a BIDS
derivative data set: for each scan a disc label file with what made it, a report and a log; tables
of all scans, discs and measures; and deepspine.html, a page of all scans that begins with those to
look at first, and on which labels can be corrected. Scans that are done already are not done again:
run it as often as you like."""

EPILOG = """\
looks for:
  sub-<label>[/ses-<label>]/anat/*_T1w.nii[.gz] and *_T2w.nii[.gz], through links as well. Names
  that are nearly so (_T2W, _T2w__dup-01), other formats and other places are named and passed over.

examples:
  sct_deepspine_batch data data/derivatives/deepspine participant
  sct_deepspine_batch data data/derivatives/deepspine group
  sct_deepspine_batch data out participant --participant-label 01 02 --n-procs 8 --qc
  sct_deepspine_batch data out participant --scheduler tcp://login1:8786

at the end the command says, and writes to logs/summary.txt:
  N labelled, M of them to look at, with the reason of each; K failed, with the reason of each;
  J skipped, and why.

exit status:
  0 every scan was labelled or skipped; scans to look at do not change it, 1 error or some scans
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
    parser.mandatory.add_argument("output_dir", metavar="output_dir", help="Folder to write; made when missing.")
    parser.mandatory.add_argument(
        "analysis_level",
        choices=("participant", "group"),
        help="participant: label the scans. group: write the tables and the page on what is there.",
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
        help="Participants to do, with or without sub-. Default: all.",
    )
    parser.optional.add_argument(
        "--session-label",
        metavar="<label>",
        nargs="+",
        default=[],
        help="Sessions to do, with or without ses-. Default: all.",
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
        help="Contrasts to do. Default: both.",
    )
    which.add_argument(
        "--suffix",
        metavar="<suffix>",
        nargs="+",
        help="Suffixes to do in place of T1w and T2w, which the network was tested on; also such as "
        "STIR, which BIDS does not know.",
    )
    parser.optional.add_argument(
        "--joint",
        action="store_true",
        help="Let the scans of a session name each other's discs: both contrasts, and the parts of the spine "
        "that were scanned one after the other. The report of each scan says what the others changed, and "
        "why one that does not fit stands alone.",
    )
    parser.optional.add_argument(
        "--derivatives-seg",
        metavar="<folder>",
        help="Segmented spinal cords, in folders like those of the data set, each named as its scan with "
        "_seg, _label-SC_seg, _label-SC_mask, _desc-sc_seg, _label-cord_mask or the like; the vertebral "
        "levels of each are written beside the discs.",
    )


def _add_run_arguments(parser: SctArgumentParser) -> None:
    again = parser.optional.add_mutually_exclusive_group()
    again.add_argument(
        "--resume",
        action="store_true",
        help="Do what is missing, has failed, or was made with another network, version or input. This is the default.",
    )
    again.add_argument("--force", action="store_true", help="Do every scan again.")
    parser.optional.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
    parser.optional.add_argument(
        "--qc", action="store_true", help="Draw the pictures of every scan that the page shows."
    )
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
        help="Worker processes, of one core each. Default: one for each core.",
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
        help="Time that a scan may take before it has failed. Default: 600.",
    )
    parser.optional.add_argument(
        "--memory",
        metavar="<GB>",
        type=positive,
        default=4.0,
        help="Memory that a worker may use before its scan has failed. Default: 4.",
    )
