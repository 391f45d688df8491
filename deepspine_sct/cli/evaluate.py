"""`sct_deepspine_evaluate`: score disc files or networks against the truth, side by side."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.argument_types import checkpoint_path
from deepspine_sct.cli.evaluate_arguments import get_parser
from deepspine_sct.cli.evaluate_cases import (
    ask,
    check_pattern,
    leave_out,
    numbered_otherwise,
    read_cases,
    read_prediction,
    run_model,
)
from deepspine_sct.cli.parser import run, say
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.outputs import check_folder
from deepspine_sct.scan.output_paths import picture_of
from deepspine_sct.wording import counted

if TYPE_CHECKING:
    from deepspine_sct.anatomy import Points
    from deepspine_sct.data.labelled_image import LabelledImage


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
    if args.part and not args.set:
        get_parser().error("argument -part: needs -set; of a data set all images are scored")
    args.part = args.part or "test"
    if (args.attention or args.heatmaps) and not args.model:
        get_parser().error("arguments -attention and -heatmaps: need -model; a label file says nothing of a network")
    if len(set(tools)) < len(tools):
        raise DeepspineError(f"two of the tools {', '.join(tools)} have the same name; rename one of them")
    from deepspine_sct.evaluation.study import Study
    from deepspine_sct.evaluation.study_report import notes_on_numbers, notes_on_scores, write_report
    from deepspine_sct.evaluation.totalspineseg import comparable
    from deepspine_sct.pictures.figure import require_matplotlib

    require_matplotlib()  # said now, not after the networks have run
    check_folder(args.ofolder)
    cases = read_cases(args)
    for tool, pattern in args.pred:
        check_pattern(tool, pattern, cases)
    n_slabs = sum(case.has_slabs for case in cases)
    if n_slabs and args.model:
        print(f"Warning: networks label the slabs of {n_slabs} of {counted(len(cases), 'scan')}, as the scan itself is "
              "gone or was straightened", file=sys.stderr)  # fmt: skip
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
    source = f"part {args.part} of {args.set}" if args.set else f"{args.path_data}"
    on_numbers = notes_on_numbers(study, otherwise)
    args.ofolder.mkdir(parents=True, exist_ok=True)
    rows = write_report(study, [*notes_on_scores(study, source, args.c), *on_numbers], args.ofolder, args.worst)
    for note in on_numbers:
        print(f"Note: {note}", file=sys.stderr)
    if args.v:
        for row in rows:
            if row["by"] == "all":
                say(_result_line(row))
        if len(cases) < n_asked:
            say(f"Left out: {n_asked - len(cases)} of {n_asked} images; the warnings say why")
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


def _result_line(row: dict) -> str:
    def percent(name: str) -> str:
        rate, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
        return f"{rate:.1f} % ({low:.1f} to {high:.1f})"

    return (
        f"{row['tool']}: every name right in {percent('images_all_named')} of {counted(row['n_images'], 'image')} "
        f"of {counted(row['n_subjects'], 'subject')}; "
        f"of {counted(row['n_discs'], 'disc')} {percent('naming_rate')} named right, {percent('detection_rate')} "
        f"detected, {percent('identification_rate')} named within the tolerance; {row['off_by_one']} off by one; "
        f"distance {row['distance_mean_mm']:.2f} mm"
    )


if __name__ == "__main__":
    sys.exit(main())
