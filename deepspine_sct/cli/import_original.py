"""`sct_deepspine_import`: a checkpoint of the original project in, one of ours out."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deepspine_sct.cli.argument_types import disc_value, positive
from deepspine_sct.cli.parser import SctArgumentParser, run, say

PROG = "sct_deepspine_import"

DESCRIPTION = """\
Turn a checkpoint of the original project (Azad et al. 2021: a pickle with `model_weights`) into one
that sct_deepspine_label -model can use. No code in the file is executed."""

EPILOG = """\
examples:
  sct_deepspine_import -i model_t2_att_2 -o original_t2.safetensors
  sct_deepspine_label -i t2.nii.gz -c t2 -model original_t2.safetensors"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(PROG, DESCRIPTION, usage="-i <file> -o <file> [options]", epilog=EPILOG)
    add = parser.mandatory.add_argument
    add("-i", type=Path, required=True, metavar="<file>", help="Checkpoint of the original to read.")
    add("-o", type=Path, required=True, metavar="<file>", help="Checkpoint to write (.safetensors).")
    add = parser.optional.add_argument
    add(
        "-first",
        type=disc_value,
        default=3,
        metavar="<disc>",
        help="Disc value of the first channel. The original numbers the annotated discs of each "
        "image from the top; in spine-generic the first one is C2/C3. Default: 3.",
    )
    add(
        "-spacing",
        type=positive,
        default=1.0,
        metavar="<mm>",
        help="Size of the pixels that the network is shown. The original squeezes every image to 256 x 256 "
        "pixels, which is about 1 mm for a cervical scan of spine-generic. Default: 1.",
    )
    add(
        "-thickness",
        type=positive,
        default=6.0,
        metavar="<mm>",
        help="Width of the slab that is averaged. The original averages six slices. Default: 6.",
    )
    parser.add_misc_arguments()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), import_checkpoint, argv)


def import_checkpoint(args: argparse.Namespace) -> None:
    """Convert a checkpoint as the arguments say.

    Raises
    ------
    DeepspineError
        When it is none of the original project's, or the output cannot be written.
    """
    from deepspine_sct.files.outputs import check_ending, check_files, make_folders
    from deepspine_sct.model.checkpoint import save_checkpoint
    from deepspine_sct.model.original import convert, read_original

    check_ending(args.o, ".safetensors", "a checkpoint")
    check_files([args.o], [args.i])
    network = convert(read_original(args.i), args.first, args.i)
    config = network.config
    description = {
        "spacing_mm": args.spacing,
        "thickness_mm": args.thickness,
        "disc_values": list(range(args.first, config.n_discs + 1)),
        "loss": "mse",
        "training": {"imported_from": args.i.name},
    }
    make_folders([args.o])
    save_checkpoint(args.o, network, description)
    if args.v:
        attention = "with" if config.attention else "without"
        say(
            f"{config.n_stacks} stacks of {config.n_features} features, {attention} attention, "
            f"discs {args.first} to {config.n_discs}"
        )
        say(f"Wrote {args.o}")


if __name__ == "__main__":
    sys.exit(main())
