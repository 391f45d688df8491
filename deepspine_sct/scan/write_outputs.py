"""The one writer of a labelled scan's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..files.atomic import atomic_path
from ..image.nifti import write_discs, write_volume
from ..stopwatch import Stopwatch
from .label_scan import Labelled
from .report import Report


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
    if outputs.json:
        with atomic_path(outputs.json) as path:
            path.write_text(report.to_json())
    if outputs.wants_picture:
        _write_pictures(labelled)
    if outputs.qc:
        _add_to_pages(outputs.qc, labelled, report)
    return report


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
