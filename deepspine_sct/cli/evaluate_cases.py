"""What an evaluation is made of: the true discs, and what each tool says of the same images."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.data.bids import LABEL_SUFFIXES
from deepspine_sct.errors import DeepspineError

if TYPE_CHECKING:
    from deepspine_sct.data.labelled_image import LabelledImage, Points
    from deepspine_sct.image.volume import Volume
    from deepspine_sct.labeling.predictor import Predictor, Result


def read_cases(args: argparse.Namespace) -> list["LabelledImage"]:
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


def _from_set(folder: Path, part: str, contrasts: tuple[str, ...]) -> Iterator["LabelledImage"]:
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.image.nifti import read_volume

    prepared = read_set(folder)
    for case in prepared.select(None if part == "all" else part, contrasts):
        scan = prepared.original(case)
        yield replace(case, load=partial(read_volume, scan), has_slabs=False) if scan else case


def _from_data_set(args: argparse.Namespace, contrasts: tuple[str, ...]) -> Iterator["LabelledImage"]:
    from deepspine_sct.data.bids import find_scans
    from deepspine_sct.data.labelled_image import LabelledImage
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
        yield LabelledImage(
            scan.stem, points, partial(read_volume, scan.image), scan.subject, scan.session, scan.site, scan.contrast,
            path=f"{scan.folder}/{scan.image.name}", label=scan.label,
        )  # fmt: skip


def ask(tool: str, cases: Iterable["LabelledImage"], answer: Callable[["LabelledImage"], "Points"]) -> list["Points"]:
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


def read_prediction(pattern: str, case: "LabelledImage") -> "Points":
    """Read a disc file, whose name is a pattern with fields of the case.

    Raises
    ------
    DeepspineError
        Where there is none, it holds no disc, or the pattern has an unknown field.
    """
    from deepspine_sct.image.nifti import read_labels

    return read_labels(prediction_file(pattern, case))


def prediction_file(pattern: str, case: "LabelledImage") -> str:
    """Name a tool's disc file of a case.

    Raises
    ------
    DeepspineError
        When the pattern has an unknown field.
    """
    fields = {"stem": case.name} | {name: getattr(case, name) for name in ("subject", "session", "contrast", "folder")}
    try:
        return pattern.format(**fields)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in fields)
        raise DeepspineError(f"-pred {pattern}: use the fields {known}") from error


def numbered_otherwise(patterns: Iterable[tuple[str, str]], cases: list["LabelledImage"]) -> list[str]:
    """Name the tools, and the truth, whose files number the discs as TotalSpineSeg does."""
    from deepspine_sct.evaluation.totalspineseg import is_totalspineseg

    files = {name: [prediction_file(pattern, case) for case in cases] for name, pattern in patterns}
    files["the truth"] = [case.label for case in cases if case.label is not None]
    return [name for name, paths in files.items() if any(map(is_totalspineseg, paths))]


def run_model(predictor: "Predictor", case: "LabelledImage") -> "tuple[Volume, Result]":
    """Label an image with a network; return the image and the answer."""
    volume = case.load()
    answer = predictor.predict_slabs(volume) if case.has_slabs else predictor.predict(volume)
    return volume, answer
