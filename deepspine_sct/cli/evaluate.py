"""`sct_deepspine_evaluate`: score disc files or networks against the truth, side by side."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.argument_types import checkpoint_path, count_or_none, named, positive
from deepspine_sct.cli.evaluate_cases import (
    ask,
    check_pattern,
    leave_out,
    numbered_otherwise,
    read_cases,
    read_prediction,
    run_model,
)
from deepspine_sct.cli.parser import SctArgumentParser, run, say
from deepspine_sct.data.bids import LABEL_FOLDER
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.outputs import check_folder
from deepspine_sct.scan.contrasts import contrast
from deepspine_sct.scan.output_paths import picture_of

if TYPE_CHECKING:
    from deepspine_sct.anatomy import Points
    from deepspine_sct.data.labelled_image import LabelledImage
    from deepspine_sct.evaluation.study import Study

PROG = "sct_deepspine_evaluate"

DESCRIPTION = """\
Score disc files of any tool (-pred) and networks (-model) against the truth: a BIDS data set with
disc labels (-path-data) or a prepared set (-set). A disc counts as found when the disc OF ITS NAME
lies within the tolerance; shifted and swapped names are errors. All tools are scored on the same
images."""

EPILOG = """\
writes into -ofolder:
  index.html    tables, figures and the worst images, in one file
  summary.csv   and .json: each tool over all images, each contrast, each site and each level, with
                95 % intervals (Wilson's, in which the images count and not the discs)
  discs.csv     every disc of every image and tool
  *.png         distance per level, confusion of levels, the worst images

examples:
  sct_deepspine_evaluate -set set -model ours=run/best.safetensors -ofolder report
  sct_deepspine_evaluate -path-data data -ofolder report \\
      -pred ours=out/{stem}_labeled_discs.nii.gz -pred other=other/{subject}/{stem}_discs.nii.gz"""


def get_parser() -> SctArgumentParser:
    """Build the parser of the command."""
    parser = SctArgumentParser(
        PROG,
        DESCRIPTION,
        usage="-set|-path-data <folder> -ofolder <folder> -pred|-model <name>=<...>",
        epilog=EPILOG,
    )
    truth = parser.mandatory.add_mutually_exclusive_group(required=True)
    truth.add_argument(
        "-set",
        type=Path,
        metavar="<folder>",
        help="Prepared set with the truth. Networks label its scans with every step of "
        "sct_deepspine_label. Of a scan that is gone or was straightened, they label the slabs.",
    )
    truth.add_argument("-path-data", type=Path, metavar="<folder>", help="BIDS data set with the truth.")
    add = parser.mandatory.add_argument
    add("-ofolder", type=Path, required=True, metavar="<folder>", help="Folder to write the report into.")
    _add_tool_arguments(parser)
    _add_truth_arguments(parser)
    _add_score_arguments(parser)
    parser.add_misc_arguments()
    return parser


def _add_tool_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-pred",
        action="append",
        type=named,
        default=[],
        metavar="<name>=<pattern>",
        help="A tool's name and where its disc files lie, with {stem} (image name without suffix), "
        "{subject}, {session}, {contrast} and {folder} (of the image, as it lies in the data set: "
        "sub-01/anat). Discs 1 and 2 of `sct_deepseg spine` lie at other places than here; if the files "
        "of a tool come from it, these two discs are left out for all tools. May be given several times.",
    )
    add(
        "-model",
        action="append",
        type=named,
        default=[],
        metavar="<name>=<file>",
        help="A name, and a checkpoint to label the images with or the word installed, which stands for the "
        "checkpoint that comes with the package. May be given several times.",
    )
    add(
        "-attention",
        action="store_true",
        help="Write where each network looked, attention/<name>/<image>.nii.gz and .png, on the "
        "grid of the scan (or of its slabs, if -set no longer finds the scan).",
    )
    add(
        "-heatmaps",
        action="store_true",
        help="Write, in the same way, the probability of any disc: heatmaps/<name>/<image>.nii.gz and .png.",
    )
    add(
        "-device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="Where the networks run: cpu, cuda, or auto, which takes a GPU where there is one. Default: auto.",
    )


def _add_truth_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-part",
        choices=("train", "val", "test", "all"),
        default="test",
        help="Part of the prepared set that is scored. Default: test.",
    )
    add(
        "-c",
        type=contrast,
        choices=("t1", "t2", "all"),
        default="all",
        help="Contrast of the images that are scored. Default: all.",
    )
    add(
        "-label-suffix",
        action="append",
        metavar="<text>",
        help="With -path-data: what follows the image's name in the name of its labels, as in sct_deepspine_prepare.",
    )
    add(
        "-label-folder",
        default=LABEL_FOLDER,
        metavar="<folder>",
        help="With -path-data: folder below the data set in which the labels lie. Default: %(default)s.",
    )


def _add_score_arguments(parser: SctArgumentParser) -> None:
    add = parser.optional.add_argument
    add(
        "-tolerance",
        type=positive,
        default=5.0,
        metavar="<mm>",
        help="Largest distance at which a disc still counts as found. Default: 5.",
    )
    add(
        "-span",
        type=int,
        choices=(0, 1),
        default=1,
        help="1: discs above and below all true ones do not count, because experts do not mark every "
        "visible disc. 0: they count as false. Default: 1.",
    )
    add(
        "-worst",
        type=count_or_none,
        default=4,
        metavar="<n>",
        help="Number of images per tool that are drawn: those with the most errors. Default: 4.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), evaluate, argv)


def evaluate(args: argparse.Namespace) -> None:
    """Evaluate as the arguments say.

    Raises
    ------
    DeepspineError
        When the truth or a tool's answers cannot be used.
    """
    tools = [name for name, _ in args.pred + args.model]
    if not tools:
        get_parser().error("give -pred, -model or both")
    if len(set(tools)) < len(tools):
        raise DeepspineError(f"two of the tools {', '.join(tools)} have the same name; rename one of them")
    from deepspine_sct.evaluation.study import Study
    from deepspine_sct.evaluation.totalspineseg import comparable
    from deepspine_sct.pictures.figure import require_matplotlib

    require_matplotlib()  # said now, not after the networks have run
    check_folder(args.ofolder)
    cases = read_cases(args)
    for pattern in args.pred:
        check_pattern(*pattern, cases)
    args.ofolder.mkdir(parents=True, exist_ok=True)
    n_slabs = sum(case.has_slabs for case in cases)
    if n_slabs and args.model:
        print(f"Warning: {n_slabs} of {len(cases)} scans are gone or were straightened; networks label their "
              "slabs instead", file=sys.stderr)  # fmt: skip
    predictions = {name: ask(name, cases, partial(read_prediction, pattern)) for name, pattern in args.pred}
    for name, path in args.model:
        predictions[name] = _label_all(name, checkpoint_path(path), cases, args)
    n_asked = len(cases)
    cases, predictions = leave_out(cases, predictions)
    otherwise = numbered_otherwise(args.pred, cases)
    if otherwise:
        cases = [replace(case, points=comparable(case.points)) for case in cases]
        predictions = {tool: [comparable(points) for points in of_tool] for tool, of_tool in predictions.items()}
    study = Study(cases, predictions, args.tolerance, bool(args.span))
    on_numbers = _notes_on_numbers(study, otherwise)
    rows = write_report(study, cases, [*_notes(study, args), *on_numbers], args)
    for note in on_numbers:
        print(f"Note: {note}", file=sys.stderr)
    if args.v:
        for row in rows:
            if row["by"] == "all":
                say(_result_line(row))
        if len(cases) < n_asked:
            say(f"Left out: {n_asked - len(cases)} of {n_asked} images, whose label files cannot be read")
        say(f"Wrote {args.ofolder / 'index.html'}")


def _label_all(name: str, path: Path, cases: list["LabelledImage"], args: argparse.Namespace) -> list["Points | None"]:
    """Label every image with a network, and write what it looked at where that was asked for."""
    from tqdm import tqdm

    from deepspine_sct.labeling.predictor import Predictor
    from deepspine_sct.pictures.network_maps import (
        KINDS,
        NO_ATTENTION,
        write_explanation,
    )

    predictor = Predictor.load(path, device=args.device)
    kinds = [kind for kind in KINDS if getattr(args, kind)]
    attends = []

    def answer(case: "LabelledImage") -> "Points":
        volume, result = run_model(predictor, case)
        points = result.labeling.points
        attends.append(result.prediction.has_attention)
        for kind in kinds:
            file = args.ofolder / kind / name / f"{case.name}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            shown = list((points or case.points).values())
            write_explanation(file, picture_of(file), volume, result.prediction, kind, shown, like=case.image)
        return points

    answers = ask(name, tqdm(cases, disable=None, unit="image", desc=name), answer)
    if args.attention and not any(attends):
        print(f"Warning: {name}: {NO_ATTENTION}", file=sys.stderr)
    return answers


def write_report(
    study: "Study", cases: list["LabelledImage"], notes: list[str], args: argparse.Namespace
) -> list[dict[str, object]]:
    """Write tables, figures and the page; return the rows of the summary."""
    from deepspine_sct.evaluation.study import disc_rows, summary_rows
    from deepspine_sct.evaluation.study_figures import render_boxes, render_confusion
    from deepspine_sct.evaluation.study_page import render_study
    from deepspine_sct.files.atomic import atomic_path
    from deepspine_sct.files.tables import write_csv, write_json

    rows = summary_rows(study)
    write_csv(args.ofolder / "summary.csv", rows)
    write_json(args.ofolder / "summary.json", {"notes": notes, "rows": rows})
    write_csv(args.ofolder / "discs.csv", disc_rows(study))
    scores = {tool: study.scores(tool) for tool in study.predictions}
    figures = {"distance_per_level": render_boxes(scores, study.tolerance_mm)}
    for tool, of_tool in scores.items():
        figures[f"confusion_{tool}"] = render_confusion(of_tool, f"{tool}: confusion of levels")
    worst = dict(_worst_pictures(study, cases, args.worst))
    page = render_study("Disc labels against the truth", notes, rows, figures, worst)
    files = {f"{name}.png": png for name, png in (figures | worst).items()} | {"index.html": page}
    for name, content in files.items():
        with atomic_path(args.ofolder / name.replace("/", "_")) as path:
            path.write_bytes(content)
    return rows


def _worst_pictures(study: "Study", cases: list["LabelledImage"], n: int):
    """Yield a name and a picture of the n worst images of each tool."""
    from deepspine_sct.labeling.discs import Disc
    from deepspine_sct.pictures.overlay import render_overlay

    for tool, predictions in study.predictions.items():
        for rank, i in enumerate(study.worst(tool, n), start=1):
            case = cases[i]
            discs = [Disc(value, xyz_mm, 1.0) for value, xyz_mm in predictions[i].items()]
            title = f"{tool}: {case.name}"
            try:
                picture = render_overlay(case.load(), discs, case.points, title)
            except DeepspineError as error:  # disc files can be scored without their images
                print(f"Warning: no picture of {case.name}: {error}", file=sys.stderr)
                continue
            yield f"worst_{tool}_{rank}_{case.name}", picture


def _notes(study: "Study", args: argparse.Namespace) -> list[str]:
    from deepspine_sct.evaluation.metrics import NAMING_MM

    source = f"part {args.part} of {args.set}" if args.set else f"{args.path_data}"
    sites = {case.site for case in study.cases}
    span = " Discs above and below all true ones do not count." if study.span_only else ""
    return [
        f"Truth: {len(study.cases)} images of {len(sites)} sites, {source}, contrast {args.c}.",
        f"Naming: a predicted disc stands for the true one that it is nearest to, within {NAMING_MM:g} mm; it is named "
        "right where both have the same name. A true disc is detected when any prediction stands for it. Placing: a "
        f"disc is found when the disc of its name lies within {study.tolerance_mm:g} mm." + span,
        "FNR: true discs not found, of the true ones. FPR: predicted discs that are not at their "
        "own place, of the predicted ones. 'Any name' asks only whether there is a disc, and counts "
        "both per true disc, as Azad et al. (2021) do.",
    ]


def _notes_on_numbers(study: "Study", otherwise: Sequence[str]) -> list[str]:
    """Say what of the numbers of TotalSpineSeg was allowed for, and what became of it, tool by tool."""
    from deepspine_sct.evaluation.totalspineseg import passed_over

    notes = []
    if otherwise:
        notes.append(
            f"Discs 1 and 2 were left out everywhere: in the files of {' and '.join(otherwise)} (TotalSpineSeg) they"
            " lie at the top of C2 and halfway to C2/C3, not at the top of C1 and at C1/C2."
        )
    for tool in otherwise:
        missed = [passed_over(score) for score in study.scores(tool)] if tool in study.predictions else []
        n_images, n_discs = sum(map(bool, missed)), sum(map(len, missed))
        if n_discs:
            notes.append(
                f"{tool}: it does not leave out the number of a disc that it misses: in {n_images} image(s) {n_discs}"
                " disc(s) were missed, and all discs below carry the number of the one above."
            )
    return notes


def _result_line(row: dict) -> str:
    def percent(name: str) -> str:
        rate, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
        return f"{rate:.1f} % ({low:.1f} to {high:.1f})"

    return (
        f"{row['tool']}: every name right in {percent('images_all_named')} of {row['n_images']} images; of "
        f"{row['n_discs']} discs {percent('naming_rate')} named right, {percent('detection_rate')} detected, "
        f"{percent('identification_rate')} named within the tolerance; {row['off_by_one']} off by one; "
        f"distance {row['distance_mean_mm']:.2f} mm"
    )


if __name__ == "__main__":
    sys.exit(main())
