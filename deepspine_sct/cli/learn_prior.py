"""`sct_deepspine_prior`: learn the distances between discs from a prepared set."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from deepspine_sct.cli.argument_types import checkpoint_path
from deepspine_sct.cli.parser import SctArgumentParser, run, say
from deepspine_sct.errors import DeepspineError

if TYPE_CHECKING:
    from deepspine_sct.labeling.prior import SkeletonPrior
    from deepspine_sct.model.hourglass import StackedHourglass

PROG = "sct_deepspine_prior"

DESCRIPTION = """\
Learn from a prepared set how far apart the discs are at each level, and how much that differs
between people. The result, the prior, can be stored in a checkpoint. Whoever labels with this
checkpoint then uses the prior to order the discs."""

EPILOG = """\
examples:
  sct_deepspine_prior -set set -plot prior.png
  sct_deepspine_prior -set set -model run/best.safetensors -o run/best_prior.safetensors"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(PROG, DESCRIPTION, usage="-set <folder> [options]", epilog=EPILOG)
    parser.mandatory.add_argument(
        "-set", type=Path, required=True, metavar="<folder>", help="Set that sct_deepspine_prepare has made."
    )
    add = parser.optional.add_argument
    add(
        "-part",
        choices=("train", "val", "test", "all"),
        default="train",
        help="Part of the set to learn from. Default: train.",
    )
    add(
        "-model",
        type=Path,
        metavar="<file>",
        help="Checkpoint to put the prior into, or the word installed for the one that comes with the package.",
    )
    add("-o", type=Path, metavar="<file>", help="Checkpoint to write. It needs -model.")
    add("-json", type=Path, metavar="<file>", help="JSON file to write the prior into.")
    add("-plot", type=Path, metavar="<file>", help="Picture of the prior to write (.png).")
    parser.add_misc_arguments()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), learn_prior, argv)


def learn_prior(args: argparse.Namespace) -> None:
    """Learn a prior and write it where the arguments say.

    Raises
    ------
    DeepspineError
        When the set or the checkpoint cannot be used.
    """
    if bool(args.model) != bool(args.o):
        get_parser().error("give -model and -o together, or neither of them")
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.files.atomic import atomic_path
    from deepspine_sct.files.outputs import make_folders
    from deepspine_sct.files.tables import write_json
    from deepspine_sct.labeling.prior_fit import fit_prior

    _check_outputs(args)
    cases = read_set(args.set).select(None if args.part == "all" else args.part)
    # One image per person: two contrasts of one spine are not two spines.
    spines = {case.subject: case.points for case in sorted(cases, key=lambda c: len(c.points))}
    before = _load(args.model) if args.model else None
    try:
        prior, n_measured = fit_prior(list(spines.values()), before and before.prior)
    except DeepspineError as error:
        raise DeepspineError(f"{args.set}, part {args.part}: {error}") from error
    for value, n in enumerate(n_measured, start=1):
        if n and args.v:
            mm, spread = prior.spacing_mm[value - 1], prior.spread[value - 1]
            say(f"{value:2d} to {value + 1:2d}: {mm:5.1f} mm, spread {100 * spread:4.1f} %, n={n}")
    if args.v:
        say(f"body size: {prior.scale_mean:.2f} of the template, SD of its log {prior.scale_sd:.2f}")
    make_folders(filter(None, (args.json, args.plot, args.o)))
    if args.json:
        write_json(args.json, prior.to_dict())
    if args.plot:
        from deepspine_sct.evaluation.study_figures import render_prior

        picture = render_prior(prior, n_measured.tolist())
        with atomic_path(args.plot) as path:
            path.write_bytes(picture)
    if before:
        _store(prior, before, args.o)
    if args.v:
        for path in filter(None, (args.json, args.plot, args.o)):
            say(f"Wrote {path}")


def _check_outputs(args: argparse.Namespace) -> None:
    from deepspine_sct.files.outputs import check_ending, check_files

    wanted = (
        (args.json, ".json", "a prior"),
        (args.plot, ".png", "a picture"),
        (args.o, ".safetensors", "a checkpoint"),
    )
    for path, ending, what in wanted:
        if path:
            check_ending(path, ending, what)
    outputs = [path for path, _, _ in wanted if path]
    check_files(outputs, [path for path in (*args.set.rglob("*"), args.model) if path])


class _Checkpoint(NamedTuple):
    network: "StackedHourglass"
    description: dict[str, Any]
    prior: "SkeletonPrior"


def _load(model: Path) -> _Checkpoint:
    """Read a checkpoint; what is not learnt here, such as the weights of the evidence, its prior keeps."""
    from deepspine_sct.labeling.prior import SkeletonPrior
    from deepspine_sct.model.checkpoint import load_checkpoint

    network, description = load_checkpoint(checkpoint_path(model))
    try:
        prior = SkeletonPrior.from_dict(description.get("prior", {}))
    except (TypeError, ValueError, AttributeError) as error:
        raise DeepspineError(f"{model}: its prior cannot be used ({error}); check -model") from error
    return _Checkpoint(network, description, prior)


def _store(prior: "SkeletonPrior", before: _Checkpoint, target: Path) -> None:
    """Copy a checkpoint with another prior in it."""
    from deepspine_sct.model.checkpoint import save_checkpoint

    save_checkpoint(target, before.network, before.description | {"prior": prior.to_dict()})


if __name__ == "__main__":
    sys.exit(main())
