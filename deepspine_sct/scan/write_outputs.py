"""The one writer of a labelled scan's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..files.atomic import atomic_path
from ..files.provenance import generated_by, now, sidecar, without_folders
from ..files.tables import write_json
from ..image.nifti import write_discs, write_volume
from ..stopwatch import Stopwatch
from .label_scan import Labelled
from .report import Report
from .request import ScanRequest
from .session_report import SessionReport


def write_outputs(labelled: Labelled, watch: Stopwatch | None = None) -> Report:
    """Write what was asked for. Whatever could be refused was refused by `label_scan`.

    Parameters
    ----------
    labelled : Labelled
        The scan; its request says what goes where.
    watch : Stopwatch, optional
        The one that `label_scan` was given: the report then tells all times.

    Returns
    -------
    Report
        As it is written.

    Raises
    ------
    DeepspineError
        When a file cannot be written, or matplotlib is missing where a picture is asked for.
    """
    watch = watch or Stopwatch()
    request, outputs = labelled.request, labelled.request.outputs
    with watch.stage("write"):
        _write_labels(labelled)
    report = labelled.report
    if not request.repeatable:
        report = replace(report, seconds=dict(watch.seconds))
    _write_reports(request, report)
    if outputs.wants_picture:
        _write_pictures(labelled)
    if outputs.qc:
        _add_to_pages(outputs.qc, labelled, report)
    return report


def _write_reports(request: ScanRequest, report: Report) -> None:
    """Write the report, and what made the labels: beside each of them, or in a report of the same name."""
    outputs = request.outputs
    origin = sidecar([generated_by(report.model["sha256"], now(), without_folders(request.command))])
    for name in outputs.sidecars:
        if name in report.outputs:
            write_json(outputs.sidecars[name], origin)
    if outputs.json:
        with atomic_path(outputs.json) as path:
            path.write_text(report.to_json(origin if outputs.report_is_sidecar else None))


def _write_labels(labelled: Labelled) -> None:
    """Write the label file and the labels of the cord."""
    request, outputs = labelled.request, labelled.request.outputs
    if outputs.discs:
        outputs.discs.parent.mkdir(parents=True, exist_ok=True)
        write_discs(outputs.discs, labelled.volume.grid, labelled.result.labeling.points, like=request.image)
    if labelled.cord_labels and outputs.levels:
        write_volume(outputs.levels, labelled.cord_labels.levels, like=request.cord)
    if labelled.cord_labels and outputs.cord_discs:
        write_volume(outputs.cord_discs, labelled.cord_labels.discs, like=request.cord)


def _write_pictures(labelled: Labelled) -> None:
    """Write the discs on the image, and what the network looked at."""
    from ..pictures.network_maps import write_explanation  # slow to load
    from ..pictures.overlay import draw_overlay
    from .output_paths import picture_of

    outputs = labelled.request.outputs
    points_xyz = [disc.xyz_mm for disc in labelled.result.labeling.discs]
    for kind, path in outputs.explanations.items():
        shown = (labelled.volume, labelled.result.prediction, kind, points_xyz, labelled.straight)
        write_explanation(path, picture_of(path), *shown)
    if outputs.overlay:
        draw_overlay(outputs.overlay, labelled.volume, labelled.discs, title=Path(labelled.request.name).name)
    if outputs.session and labelled.report.session:
        _draw_session(outputs.session, labelled, labelled.report.session)


def _draw_session(path: Path, labelled: Labelled, session: SessionReport) -> None:
    """Draw the scan beside those that were named together with it."""
    from ..image.nifti import read_volume
    from ..pictures.session_picture import Panel, draw_session

    request = labelled.request
    panels = [Panel(labelled.volume, labelled.points, np.zeros(3), Path(request.name).name)]
    for image, companion in zip(request.beside, session.companions, strict=True):
        if companion.joined:
            points = {disc["value"]: np.array(disc["world_mm"]) for disc in companion.discs}
            moved_mm = np.array(companion.moved_mm)
            title = f"{image.name}\nmoved by {np.linalg.norm(moved_mm):.1f} mm"
            panels.append(Panel(read_volume(image, lazy=True), points, moved_mm, title))
    draw_session(path, panels)


def _add_to_pages(folder: Path, labelled: Labelled, report: Report) -> None:
    """Add the scan to the quality-control page and to SCT's report."""
    from ..quality_control.page import default_identity
    from ..quality_control.scan_entry import add_scan, render_pictures

    request = labelled.request
    identity = default_identity(request.name)
    identity["dataset"] = request.page_dataset or identity["dataset"]
    identity["subject"] = request.page_subject or identity["subject"]
    pictures = render_pictures(labelled.volume, labelled.straight, labelled.result.prediction, labelled.discs)
    add_scan(folder, identity, request.name, request.command, report.to_dict(), pictures)
