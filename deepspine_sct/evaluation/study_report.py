"""The report of a study: tables, figures, the worst images, and one page that shows them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import NAMING_MM
from deepspine_sct.evaluation.study import Study, disc_rows, summary_rows
from deepspine_sct.evaluation.study_figures import render_boxes, render_confusion
from deepspine_sct.evaluation.study_page import render_study
from deepspine_sct.evaluation.totalspineseg import passed_over
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.tables import write_csv, write_json
from deepspine_sct.labeling.discs import Disc
from deepspine_sct.pictures.overlay import render_overlay
from deepspine_sct.wording import counted

_LOG = logging.getLogger(__name__)


def write_report(study: Study, notes: list[str], folder: Path, n_worst: int) -> list[dict[str, object]]:
    """Write tables, figures and the page.

    Parameters
    ----------
    study : what was scored
    notes : sentences at the head of the page
    folder : where the files go
    n_worst : images that are drawn of each tool

    Returns
    -------
    list of dict
        The rows of the summary.
    """
    rows = summary_rows(study)
    write_csv(folder / "summary.csv", rows)
    write_json(folder / "summary.json", {"notes": notes, "rows": rows})
    write_csv(folder / "discs.csv", disc_rows(study))
    scores = {tool: study.scores(tool) for tool in study.predictions}
    figures = {"distance_per_level": render_boxes(scores, study.tolerance_mm)}
    for tool, of_tool in scores.items():
        figures[f"confusion_{tool}"] = render_confusion(of_tool, f"{tool}: confusion of levels")
    worst = dict(_worst_pictures(study, n_worst))
    page = render_study("Disc labels against the truth", notes, rows, figures, worst)
    files = {f"{name}.png": png for name, png in (figures | worst).items()} | {"index.html": page}
    for name, content in files.items():
        with atomic_path(folder / name.replace("/", "_")) as path:
            path.write_bytes(content)
    return rows


def _worst_pictures(study: Study, n: int) -> Iterator[tuple[str, bytes]]:
    """Yield a name and a picture of the n worst images of each tool."""
    for tool, predictions in study.predictions.items():
        for rank, i in enumerate(study.worst(tool, n), start=1):
            case = study.cases[i]
            discs = [Disc(value, xyz_mm, 1.0) for value, xyz_mm in predictions[i].items()]
            title = f"{tool}: {case.name}"
            try:
                picture = render_overlay(case.load(), discs, case.points, title)
            except DeepspineError as error:  # disc files can be scored without their images
                _LOG.warning("no picture of %s: %s", case.name, error)
                continue
            yield f"worst_{tool}_{rank}_{case.name}", picture


def notes_on_scores(study: Study, source: str, contrast: str) -> list[str]:
    """Say what was scored, of which source and contrast, and what the columns mean."""
    sites = {case.site for case in study.cases}
    whose = f"{counted(len(set(study.subjects)), 'subject')} and {counted(len(sites), 'site')}"
    span = " Discs above and below all true ones do not count." if study.span_only else ""
    return [
        f"Truth: {counted(len(study.cases), 'image')} of {whose}, {source}, contrast {contrast}.",
        f"Naming: a predicted disc stands for the true one that it is nearest to, within {NAMING_MM:g} mm; it is named "
        "right where both have the same name. A true disc is detected when any prediction stands for it. Placing: a "
        f"disc is found when the disc of its name lies within {study.tolerance_mm:g} mm." + span,
        "FNR: true discs not found, of the true ones. FPR: predicted discs that are not at their "
        "own place, of the predicted ones. 'Any name' asks only whether there is a disc, and counts "
        "both per true disc, as Azad et al. (2021) do.",
    ]


def notes_on_numbers(study: Study, otherwise: Sequence[str]) -> list[str]:
    """Say what of the numbers of TotalSpineSeg was allowed for, and what became of it, tool by tool."""
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
                f"{tool}: it does not leave out the number of a disc that it misses: it missed"
                f" {counted(n_discs, 'disc')} in {counted(n_images, 'image')}, and all discs below carry the number of"
                " the one above."
            )
    return notes
