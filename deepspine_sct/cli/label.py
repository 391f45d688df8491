"""`sct_deepspine_label`: one scan in, one file of named discs out."""

import json
import shlex
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from deepspine_sct.cli.cord import BY_OWN_DISCS, label_segmentation, make_straight, write_cord
from deepspine_sct.cli.label_arguments import get_parser
from deepspine_sct.cli.outputs import Outputs, picture_of, plan_outputs
from deepspine_sct.cli.parser import run, say
from deepspine_sct.cli.threads import give_numpy_one_thread
from deepspine_sct.errors import DeepspineError, NoDiscFound

# Everything heavy is imported where it is used, so that -h and a usage error answer at once.
if TYPE_CHECKING:
    from deepspine_sct.image.straight import Straight
    from deepspine_sct.image.volume import Volume
    from deepspine_sct.labeling.inference import Predictor, Result
    from deepspine_sct.sct.detour import Points


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status; see `deepspine_sct.cli.parser.run`.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = get_parser()
    parser.set_defaults(cmdline=shlex.join([parser.prog, *arguments]))
    return run(parser, label, arguments)


def label(args: Namespace) -> None:
    """Label one scan as the arguments say.

    Raises
    ------
    DeepspineError
        When an input, an output or the request cannot be used.
    NoDiscFound
        When the image holds no disc; no file is written.
    """
    give_numpy_one_thread()
    from deepspine_sct.image.nifti import place_discs, read_volume, write_discs
    from deepspine_sct.sct.levels import read_cord

    outputs = plan_outputs(args)
    if outputs.wants_picture:
        from deepspine_sct.evaluation.drawing import require_matplotlib

        require_matplotlib()  # said now, not after the network has run

    seconds: dict[str, float] = {}
    started_s = perf_counter()
    volume = read_volume(args.i, lazy=True)
    cord = read_cord(args.s, volume.grid) if args.s else None
    seconds["read"] = perf_counter() - started_s

    started_s = perf_counter()
    predictor = load_predictor(args)
    seconds["load"] = perf_counter() - started_s

    result, straight = find_discs(predictor, volume, args, outputs)
    seconds |= result.seconds

    started_s = perf_counter()
    # All that can be refused is refused before the first file is written.
    voxels = place_discs(outputs.discs, volume.grid, result.labeling.points)
    labels = cord and label_segmentation(args, cord, volume.grid, voxels)
    outputs.discs.parent.mkdir(parents=True, exist_ok=True)
    write_discs(outputs.discs, volume.grid, result.labeling.points, like=args.i)
    seconds["write"] = perf_counter() - started_s

    report = describe(args, outputs, predictor.checksum, result, voxels, seconds)
    if outputs.attention:
        from deepspine_sct.evaluation.explain import NO_ATTENTION, has_attention

        report["warnings"] += [] if has_attention(result.prediction) else [NO_ATTENTION]
    if labels is not None:
        report["warnings"] += write_cord(args, outputs, labels)
    write_extras(args, outputs, volume, straight, result, report)
    if outputs.qc:
        from deepspine_sct.cli.quality import add_to_report

        add_to_report(args, outputs.qc, volume, straight, result, report)
    announce(args, outputs, report)


def load_predictor(args: Namespace) -> "Predictor":
    """Load the checkpoint that -model names, or the installed one."""
    from deepspine_sct.labeling.inference import Predictor

    return Predictor.load(Path(args.model) if args.model else None, device=args.device)


def find_discs(
    predictor: "Predictor", volume: "Volume", args: Namespace, outputs: Outputs
) -> "tuple[Result, Straight | None]":
    """Run the network and the ordering, from the start that the user gave, if any.

    Returns
    -------
    Result
        Discs of the scan.
    Straight or None
        The straight image that they were found in, with -straighten.

    Raises
    ------
    DeepspineError
        When the start cannot be used.
    NoDiscFound
        When the image holds no disc.
    """
    from deepspine_sct.cli import start

    pins = start.pins_from_file(args.initlabel, volume.grid) if args.initlabel else {}
    height = start.height_of_slice(*args.initz, volume.grid) if args.initz else None
    start.check_pins([height.value] if height else pins, args.discs)

    if not args.straighten:
        known = {"pins": pins or None, "height": height, "values": args.discs}
        return _predict(predictor, volume, args, **known), None
    from deepspine_sct.sct.detour import find_straightened

    first = None
    if height or args.straighten == BY_OWN_DISCS:
        first = _predict(predictor, volume, args, pins=pins or None, height=height)
    if height:  # a slice of the scan is none of the straight image
        pins = {height.value: first.labeling.points[height.value]}

    def look_again(image: "Volume", known: "Points") -> "Result":
        return _predict(predictor, image, args, pins=known or None, values=args.discs)

    straight = make_straight(args, outputs, volume, first)
    return _checked(find_straightened(look_again, straight, pins), args), straight


def _predict(predictor: "Predictor", volume: "Volume", args: Namespace, **request: object) -> "Result":
    """Run the predictor; it knows no file, so its refusals are given the name of the image."""
    try:
        result = predictor.predict(volume, threshold=args.thr, **request)
    except DeepspineError as error:
        raise type(error)(f"{args.i}: {error}") from error
    return _checked(result, args)


def _checked(result: "Result", args: Namespace) -> "Result":
    """Refuse a result without a disc."""
    if not result.labeling.discs:
        raise NoDiscFound(
            f"{args.i}: no disc was found, so nothing was written; check that the scan shows the "
            f"spine from the side, or lower -thr{' or widen -discs' if args.discs else ''}"
        )
    return result


def describe(
    args: Namespace,
    outputs: Outputs,
    checksum: str,
    result: "Result",
    voxels: Mapping[int, Sequence[int]],
    seconds: Mapping[str, float],
) -> dict:
    """Gather the report of the run from its pieces."""
    from deepspine_sct.evaluation.report import build_report, gather_warnings, installed_versions
    from deepspine_sct.image.geometry import geometry_warnings

    return build_report(
        inputs={
            "image": args.i,
            "contrast": args.c,
            "threshold": args.thr,
            "values": args.discs,
            "initlabel": args.initlabel,
            "initz": args.initz,
            "cord": args.s,
            "straighten": args.straighten,
        },
        outputs={name: str(path) for name, path in outputs.named().items()},
        labeling=result.labeling,
        voxels=voxels,
        warnings=gather_warnings(result.labeling, voxels, args.c) + geometry_warnings(args.i),
        model={"file": args.model or "installed", "sha256": checksum},
        versions=installed_versions(),
        seconds=seconds,
    )


def write_extras(
    args: Namespace,
    outputs: Outputs,
    volume: "Volume",
    straight: "Straight | None",
    result: "Result",
    report: dict,
) -> None:
    """Write what the user asked for beside the label file."""
    from deepspine_sct.image.atomic import atomic_path

    if outputs.json:
        with atomic_path(outputs.json) as path:
            path.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
    if not outputs.wants_picture:
        return
    from deepspine_sct.evaluation.explain import write_explanation

    points_xyz = [disc.xyz_mm for disc in result.labeling.discs]
    for kind, path in outputs.explanations.items():
        shown = (volume, result.prediction, kind, points_xyz, straight)
        write_explanation(path, picture_of(path), *shown, like=Path(args.i))
    if outputs.overlay:
        from deepspine_sct.evaluation.overlay import draw_overlay
        from deepspine_sct.evaluation.report import written_discs

        discs = written_discs(result.labeling, report)
        draw_overlay(outputs.overlay, volume, discs, title=Path(args.i).name)


def announce(args: Namespace, outputs: Outputs, report: Mapping) -> None:
    """Print the result on stdout and the warnings on stderr."""
    from deepspine_sct.cli import table

    for warning in report["warnings"]:
        print(f"Warning: {warning}", file=sys.stderr)
    if args.v == 0:
        return
    say(table.disc_table(report))
    say(table.level_line(report))
    if args.v == 2:
        say(table.provenance_lines(report))
    for path in outputs.named().values():
        say(f"Wrote {path}")
    if shutil.which("fsleyes"):
        say(f"To see it:\n{table.viewer_command(args.i, str(outputs.discs))}")


if __name__ == "__main__":
    sys.exit(main())
