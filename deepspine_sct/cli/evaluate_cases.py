"""What an evaluation is made of: the true discs, and what each tool says of the same images."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.errors import DeepspineError

if TYPE_CHECKING:
    from deepspine_sct.evaluation.metrics import Points
    from deepspine_sct.evaluation.study import StudyCase
    from deepspine_sct.image.volume import Volume
    from deepspine_sct.labeling.predictor import Predictor, Result


@dataclass(frozen=True)
class TrueCase:
    """An image with its truth, and how to get at it.

    Attributes
    ----------
    study : name, origin and true discs
    fields : what a pattern of -pred may name
    label : file of the truth; None in a prepared set
    load : reads the image, or the slabs of a prepared one
    """

    study: "StudyCase"
    fields: dict[str, str]
    label: Path | None
    load: Callable[[], "Volume"]


def read_cases(args: argparse.Namespace) -> list[TrueCase]:
    """Read the truth from the prepared set or the data set that the arguments name.

    Raises
    ------
    DeepspineError
        Where it holds no usable case.
    """
    from deepspine_sct.data.bids import CONTRASTS

    contrasts = tuple(CONTRASTS.values()) if args.c == "all" else (CONTRASTS[args.c],)
    if args.set:
        cases = list(_from_set(args.set, args.part, contrasts))
        source = f"{args.set}: part {args.part}"
    else:
        cases = list(_from_data_set(args, contrasts))
        source = f"{args.path_data}"
    if not cases:
        raise DeepspineError(f"{source} holds no labelled image of contrast {args.c}; see -c, -part")
    return cases


def _from_set(folder: Path, part: str, contrasts: tuple[str, ...]) -> Iterator[TrueCase]:
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.evaluation.study import StudyCase

    for case in read_set(folder).select(None if part == "all" else part, contrasts):
        study = StudyCase(case.name, case.subject, case.site, case.contrast, case.points)
        image_folder = case.image.rpartition("/")[0]
        yield TrueCase(study, _fields(study, case.session, image_folder), None, case.load)


def _from_data_set(args: argparse.Namespace, contrasts: tuple[str, ...]) -> Iterator[TrueCase]:
    from deepspine_sct.data.bids import LABEL_SUFFIXES, find_scans
    from deepspine_sct.evaluation.study import StudyCase
    from deepspine_sct.image.nifti import read_labels, read_volume

    suffixes = tuple(args.label_suffix or LABEL_SUFFIXES)
    for scan in find_scans(args.path_data, contrasts, suffixes, args.label_folder):
        if scan.label is None:
            continue
        try:
            points = read_labels(scan.label)
        except DeepspineError as error:
            print(f"Warning: left out: {error}", file=sys.stderr)
            continue
        study = StudyCase(scan.stem, scan.subject, scan.site, scan.contrast, points)

        def load(path: Path = scan.image) -> "Volume":
            return read_volume(path)

        yield TrueCase(study, _fields(study, scan.session, scan.folder), scan.label, load)


def _fields(study: "StudyCase", session: str, folder: str) -> dict[str, str]:
    return {
        "stem": study.name,
        "subject": study.subject,
        "session": session,
        "contrast": study.contrast,
        "folder": folder,
    }


def ask(tool: str, cases: Iterable[TrueCase], answer: Callable[[TrueCase], "Points"]) -> list["Points"]:
    """Get a tool's answer to every case; a file that cannot be read counts as no disc found.

    Raises
    ------
    DeepspineError
        Where there is no answer at all.
    """
    answers: list[Points] = []
    faults = []
    for case in cases:
        try:
            answers.append(answer(case))
        except DeepspineError as error:
            faults.append(error)
            answers.append({})
    if len(faults) == len(answers):
        raise DeepspineError(f"{tool}: not one file can be read; the first one: {faults[0]}")
    for fault in faults:
        print(f"Warning: {tool}: {fault}; counted as no disc found", file=sys.stderr)
    return answers


def read_prediction(pattern: str, case: TrueCase) -> "Points":
    """Read a disc file, whose name is a pattern with fields of the case.

    Raises
    ------
    DeepspineError
        Where there is none, it holds no disc, or the pattern has an unknown field.
    """
    from deepspine_sct.image.nifti import read_labels

    return read_labels(prediction_file(pattern, case))


def prediction_file(pattern: str, case: TrueCase) -> str:
    """Name a tool's disc file of a case.

    Raises
    ------
    DeepspineError
        When the pattern has an unknown field.
    """
    try:
        return pattern.format(**case.fields)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in case.fields)
        raise DeepspineError(f"-pred {pattern}: use the fields {known}") from error


def numbered_otherwise(patterns: Iterable[tuple[str, str]], cases: Iterable[TrueCase]) -> list[str]:
    """Name the tools, and the truth, whose files number the discs as TotalSpineSeg does."""
    from deepspine_sct.evaluation.totalspineseg import is_totalspineseg

    files = {name: [Path(prediction_file(pattern, case)) for case in cases] for name, pattern in patterns}
    files["the truth"] = [case.label for case in cases if case.label is not None]
    return [name for name, paths in files.items() if any(map(is_totalspineseg, paths))]


def run_model(predictor: "Predictor", case: TrueCase, prepared: bool) -> "tuple[Volume, Result]":
    """Label an image with a network; return the image and the answer."""
    volume = case.load()
    answer = predictor.predict_slabs(volume) if prepared else predictor.predict(volume)
    return volume, answer
