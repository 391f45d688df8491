"""The one writer of a labelled scan's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..caution import Caution
from ..errors import DeepspineError
from ..files.atomic import atomic_path
from ..files.edited import as_written
from ..files.names import sidecar_of
from ..files.outputs import make_folders, same_file
from ..files.provenance import being_written, generated_by, now, sidecar, sources, without_folders
from ..files.tables import write_json
from ..image.nifti import write_discs, write_volume
from ..stopwatch import Stopwatch
from .label_scan import Labelled
from .report import Report
from .request import ScanRequest, Straightening

if TYPE_CHECKING:
    from .session_report import SessionReport


class IncompleteOutputs(DeepspineError):  # noqa: N818 - what came of the run
    """The label file is written and good; something else that was asked for is missing.

    Attributes
    ----------
    faults : str
        Why what is missing could not be written.
    report : Report
        The answer, as for a run without a fault.
    """

    def __init__(self, kept: Path | str, faults: str, report: Report) -> None:
        super().__init__(f"{kept}: is written and good, but this is missing: {faults}")
        self.faults = faults
        self.report = report


def write_outputs(labelled: Labelled, watch: Stopwatch | None = None) -> Report:
    """Write what was asked for, the label file first. Whatever could be refused was refused by `label_scan`.

    Parameters
    ----------
    labelled : Labelled
        The scan; its request says what goes where. Missing folders are made.
    watch : Stopwatch, optional
        The one that `label_scan` was given: the report then tells all times.

    Returns
    -------
    Report
        As it is written.

    Raises
    ------
    DeepspineError
        When the label file cannot be written. Nothing is written then.
    IncompleteOutputs
        When another file cannot be written, or matplotlib is missing where a picture is asked for. The
        label file stays, and so does what else could be written: the message says what is missing.
    """
    watch = watch or Stopwatch()
    request, outputs = labelled.request, labelled.request.outputs
    missing: dict[str, str] = {}
    with watch.stage("write"):
        if outputs.discs:
            with being_written(outputs.discs):
                write_discs(outputs.discs, labelled.volume.grid, labelled.result.labeling.points, like=request.image)
        with _noting(missing, "levels", "cord_discs"):
            _write_cord(labelled)
    for kind, path in outputs.explanations.items():
        with _noting(missing, kind, f"{kind}_picture"):
            _write_map(labelled, kind, path)
    if outputs.overlay:
        with _noting(missing, "overlay"):
            _draw_discs(labelled, outputs.overlay)
    if outputs.session and labelled.report.session:
        with _noting(missing, "session"):
            _draw_session(outputs.session, labelled, labelled.report.session)
    report = labelled.report
    if not request.repeatable:
        report = replace(report, seconds=dict(watch.seconds))
    if outputs.qc:
        with _noting(missing, "qc"):
            _add_to_pages(outputs.qc, labelled, report)
    report = _without(report, missing)
    _write_reports(request, report, missing)  # last, as they say what was written
    if missing:
        kept = outputs.discs or request.name
        faults = "; ".join(dict.fromkeys(missing.values()))
        raise IncompleteOutputs(kept, faults, _without(report, missing))
    return report


def _write_reports(request: ScanRequest, report: Report, missing: dict[str, str]) -> None:
    """Write the report, and what made the labels: beside each of them, or in a report of the same name."""
    outputs = request.outputs
    if outputs.json:
        with _noting(missing, "json"):
            make_folders([outputs.json])  # before the command is told, whose paths are known by their folders
    maker = generated_by(report.model["sha256"], now(), without_folders(request.command))
    for name, path in outputs.sidecars.items():
        if name in report.outputs:
            with _noting(missing, f"{name}_sidecar"):
                write_json(path, sidecar([maker], **_origin(request, path, of_cord=name != "discs_sidecar")))
    if outputs.json:
        origin = sidecar([maker], **_origin(request, outputs.json))
        with _noting(missing, "json"), atomic_path(outputs.json) as path:
            path.write_text(report.to_json(origin if outputs.report_is_sidecar else None))


def _origin(request: ScanRequest, told: Path, of_cord: bool = False) -> dict[str, object]:
    """Name the files that labels, of the discs or of the cord, were made from, for the JSON file beside them."""
    cord = request.cord if of_cord or request.straighten == Straightening.BY_SCT else None
    others = (*request.beside, request.initlabel, cord)
    origin = sources(told, request.image or Path(request.name), *filter(None, others))
    beside = (label for label in request.outputs.label_files if label.is_file() and same_file(sidecar_of(label), told))
    return origin | next(map(as_written, beside), {})


@contextmanager
def _noting(missing: dict[str, str], *names: str) -> Iterator[None]:
    """Note why outputs could not be written, and go on with the next ones."""
    try:
        yield
    except (DeepspineError, OSError, MemoryError) as error:
        missing.update(dict.fromkeys(names, str(error) or type(error).__name__))


def _without(report: Report, missing: Mapping[str, str]) -> Report:
    """Report of a run that could not write all of its files."""
    said = set(report.warnings)
    cautions = [Caution("output_failed", f"not written: {reason}") for reason in dict.fromkeys(missing.values())]
    outputs = {name: path for name, path in report.outputs.items() if name not in missing}
    return replace(report, outputs=outputs, warnings=(*report.warnings, *(c for c in cautions if c not in said)))


def _write_cord(labelled: Labelled) -> None:
    """Write the levels of the cord and the discs on its middle line."""
    request, outputs, labels = labelled.request, labelled.request.outputs, labelled.cord_labels
    if labels is None:
        return
    for path, volume in ((outputs.levels, labels.levels), (outputs.cord_discs, labels.discs)):
        if path:
            with being_written(path):
                write_volume(path, volume, like=request.cord)


def _write_map(labelled: Labelled, kind: str, path: Path) -> None:
    """Write what the network looked at, or saw, with its picture."""
    from ..pictures.network_maps import write_explanation  # slow to load
    from .output_paths import picture_of

    points_xyz = [disc.xyz_mm for disc in labelled.result.labeling.discs]
    shown = (labelled.volume, labelled.result.prediction, kind, points_xyz, labelled.straight)
    make_folders([path])
    write_explanation(path, picture_of(path), *shown, like=labelled.request.image)


def _draw_discs(labelled: Labelled, path: Path) -> None:
    """Write the discs on the image."""
    from ..pictures.overlay import draw_overlay  # slow to load

    make_folders([path])
    draw_overlay(path, labelled.volume, labelled.discs, title=Path(labelled.request.name).name)


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
    make_folders([path])
    draw_session(path, panels)


def _add_to_pages(folder: Path, labelled: Labelled, report: Report) -> None:
    """Add the scan to the quality-control page and to SCT's report."""
    from ..quality_control.identity import identify
    from ..quality_control.scan_entry import add_scan
    from ..quality_control.sct_report import default_identity

    request = labelled.request
    image = request.image or Path(request.name)
    identity = identify(image, request.contrast, request.page_dataset or "", request.page_subject or "")
    given = {"dataset": request.page_dataset, "subject": request.page_subject}
    sct_identity = default_identity(image) | {name: text for name, text in given.items() if text}
    # The maps of a straight image do not lie on the scan.
    prediction = None if labelled.straight else labelled.result.prediction
    try:
        add_scan(
            folder, identity, image, labelled.volume, labelled.discs, report.to_dict(), prediction,
            request.command, sct_identity,
        )  # fmt: skip
    except OSError as error:  # as where another user has made the folder
        place, reason = error.filename or folder, error.strerror or error
        raise DeepspineError(f"{place}: cannot be written ({reason}); give another folder with -qc") from error
