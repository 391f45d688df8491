"""What an evaluation is made of: the true discs, and what each tool says of the same images."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.messages import one_line
from deepspine_sct.data.bids import LABEL_SUFFIXES
from deepspine_sct.errors import DeepspineError, NoLabels
from deepspine_sct.wording import counted

if TYPE_CHECKING:
    from deepspine_sct.anatomy import Points
    from deepspine_sct.data.labelled_image import LabelledImage
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
        source, remedy = f"{args.set}: part {args.part}", "check -c and -part"
    else:
        cases = list(_from_data_set(args, contrasts))
        source, remedy = f"{args.path_data}", "check -c, -label-suffix and -label-folder"
    if not cases:
        of_contrast = "" if args.c == "all" else f" of contrast {args.c}"
        raise DeepspineError(f"{source}: holds no labelled image{of_contrast}; {remedy}")
    return cases


def _from_set(folder: Path, part: str, contrasts: tuple[str, ...]) -> Iterator["LabelledImage"]:
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.image.nifti import read_volume

    prepared = read_set(folder)
    for case in prepared.select(None if part == "all" else part, contrasts):
        scan = prepared.original(case)
        yield replace(case, load=partial(read_volume, scan), image=scan, has_slabs=False) if scan else case


def _from_data_set(args: argparse.Namespace, contrasts: tuple[str, ...]) -> Iterator["LabelledImage"]:
    from deepspine_sct.data.bids import find_scans
    from deepspine_sct.data.labelled_image import LabelledImage
    from deepspine_sct.data.pointer import why_not_here
    from deepspine_sct.image.labels import check_distances, check_inside, check_order, read_labels
    from deepspine_sct.image.nifti import read_grid, read_volume

    suffixes = tuple(args.label_suffix or LABEL_SUFFIXES)
    n_left_out, bare = 0, []
    for scan in find_scans(args.path_data, contrasts, suffixes, args.label_folder):
        if scan.label is None:
            bare.append(scan.image)
            continue
        try:
            points = read_labels(scan.label)
            check_order(scan.label, points)
            check_distances(scan.label, points)
            if not why_not_here(scan.image):  # disc files are scored without their images, too
                check_inside(scan.label, points, read_grid(scan.image))
        except DeepspineError as error:
            print(f"Warning: left out: {one_line(error)}", file=sys.stderr)
            n_left_out += 1
            continue
        yield LabelledImage(
            scan.stem, points, partial(read_volume, scan.image), scan.subject, scan.session, scan.site, scan.contrast,
            path=scan.path, image=scan.image, label=scan.label,
        )  # fmt: skip
    if bare:
        where = f"for example {bare[0].name}; check -label-suffix and -label-folder"
        print(f"Warning: left out: {counted(len(bare), 'image')} without disc labels, {where}", file=sys.stderr)
    if n_left_out:
        print(f"Warning: left out: {counted(n_left_out, 'image')}, whose true labels cannot be used", file=sys.stderr)


def ask(
    tool: str, cases: Iterable["LabelledImage"], answer: Callable[["LabelledImage"], "Points"]
) -> list["Points | None"]:
    """Get a tool's answer to every case.

    Returns
    -------
    list of dict or None
        Empty where the tool found nothing, which costs it the discs. None where its answer cannot be
        read, which says nothing of the tool: such an image is left out.

    Raises
    ------
    DeepspineError
        Where there is no answer at all.
    """
    answers: list[Points | None] = []
    faults: list[tuple[DeepspineError, str]] = []
    for case in cases:
        try:
            answers.append(answer(case))
        except DeepspineError as error:
            found_none = isinstance(error, NoLabels)
            answers.append({} if found_none else None)
            faults.append((error, "counted as no disc found" if found_none else "the image is left out"))
    if len(faults) == len(answers):
        raise DeepspineError(f"{tool}: there is no answer to any image; the first fault is: {faults[0][0]}")
    for fault, consequence in faults:
        print(f"Warning: {tool}: {one_line(fault)}; {consequence}", file=sys.stderr)
    return answers


def leave_out(
    cases: list["LabelledImage"], answers: dict[str, list["Points | None"]]
) -> tuple[list["LabelledImage"], dict[str, list["Points"]]]:
    """Drop the images for which any tool has no readable answer: all tools are scored on the same ones.

    Raises
    ------
    DeepspineError
        Where no image is left.
    """
    kept = [n for n in range(len(cases)) if all(of_tool[n] is not None for of_tool in answers.values())]
    if not kept:
        raise DeepspineError(
            "there is no image whose label files can be read for every tool; evaluate one tool at a time"
        )
    return [cases[n] for n in kept], {tool: [of_tool[n] for n in kept] for tool, of_tool in answers.items()}


def read_prediction(pattern: str, case: "LabelledImage") -> "Points":
    """Read a disc file, whose name is a pattern with fields of the case.

    Raises
    ------
    NoLabels
        Where there is none, or it holds no disc.
    DeepspineError
        Where it cannot be read or is no label file, or the pattern has an unknown field.
    """
    from deepspine_sct.image.labels import read_labels

    path = prediction_file(pattern, case)
    if not os.path.lexists(path):  # unlike a link without a target, whose content was never fetched
        raise NoLabels(f"{path}: no such file")
    points = read_labels(path)
    _warn_of_another_place(path, points, case)
    return points


def _warn_of_another_place(path: str, points: "Points", case: "LabelledImage") -> None:
    """Say that a tool's discs cannot be those of the image as they stand: that may be the fault of the file alone."""
    from deepspine_sct.data.pointer import why_not_here
    from deepspine_sct.image.labels import check_distances, check_inside, check_order
    from deepspine_sct.image.nifti import read_grid

    try:
        if case.image is not None and not why_not_here(case.image):
            check_inside(path, points, read_grid(case.image))
        check_order(path, points)
        check_distances(path, points)
    except DeepspineError as error:
        print(f"Warning: {one_line(error)}; it is scored as it stands", file=sys.stderr)


def check_pattern(tool: str, pattern: str, cases: list["LabelledImage"]) -> None:
    """Refuse a pattern that names one file for several people: it cannot be the answer to all of them.

    Raises
    ------
    DeepspineError
        When it does, or has an unknown field.
    """
    people: dict[str, set[tuple[str, str]]] = {}
    for case in cases:
        people.setdefault(prediction_file(pattern, case), set()).add((case.person, case.session))
    shared = next((path for path, who in people.items() if len(who) > 1), None)
    if shared is not None:
        raise DeepspineError(
            f"-pred {tool}={pattern}: names {shared} for {len(people[shared])} subjects or sessions; use a field such "
            "as {stem} or {subject}"
        )


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
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{name}}}" for name in fields)
        raise DeepspineError(f"-pred {pattern}: use the fields {known}") from error


def numbered_otherwise(patterns: Iterable[tuple[str, str]], cases: list["LabelledImage"]) -> list[str]:
    """Name the tools, and the truth, whose files number the discs as TotalSpineSeg does."""
    from deepspine_sct.evaluation.totalspineseg import is_totalspineseg

    files = {name: [Path(prediction_file(pattern, case)) for case in cases] for name, pattern in patterns}
    files["the truth"] = [case.label for case in cases if case.label is not None]
    return [name for name, paths in files.items() if any(map(is_totalspineseg, paths))]


def run_model(predictor: "Predictor", case: "LabelledImage") -> "tuple[Volume, Result]":
    """Label an image with a network; return the image and the answer."""
    volume = case.load()
    try:
        answer = predictor.predict_slabs(volume) if case.has_slabs else predictor.predict(volume)
    except DeepspineError as error:  # its own verdict on an image that can be read
        raise NoLabels(f"{case.name}: {error}") from error
    return volume, answer
