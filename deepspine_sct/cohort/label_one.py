"""From one scan to its files: what a worker does to every scan."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from deepspine_sct.cohort.bids_derivative import ScanFiles, contrast_of, files_of, sidecar
from deepspine_sct.cohort.job import LABELLED, SKIPPED, Job, Outcome
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.discovery import relative
from deepspine_sct.errors import DeepspineError, NoDiscFound
from deepspine_sct.files.tables import write_json
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_discs, write_volume
from deepspine_sct.image.sform_qform import geometry_warnings
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.cord_levels import label_cord, read_cord
from deepspine_sct.pictures.overlay import draw_overlay
from deepspine_sct.scan.report import (
    build_report,
    gather_warnings,
    installed_versions,
    written_discs,
)

if TYPE_CHECKING:
    from deepspine_sct.labeling.predictor import Predictor, Result

AXIAL_RATIO = 2.5
"""Slices stacked along the spine and this many times thicker than a pixel make an axial scan."""


def label_scan(job: Job, scan: Scan, volume: Volume, predictor: Predictor) -> Outcome:
    """Label a scan and write its files.

    Parameters
    ----------
    job : Job
        The run.
    scan : Scan
        Where the scan is.
    volume : Volume
        The scan itself.
    predictor : Predictor
        The network.

    Returns
    -------
    Outcome
        LABELLED, or SKIPPED for an axial scan.

    Raises
    ------
    DeepspineError
        When it cannot be labelled, or its files cannot be written.
    NoDiscFound
        When it shows no disc.
    """
    if is_axial(volume.grid):
        return Outcome(relative(scan), SKIPPED, "is an axial scan; discs are told apart from the side")
    result = predictor.predict(volume)
    if not result.labeling.discs:
        raise NoDiscFound("no disc was found; check that the scan shows the spine from the side")
    started_s = perf_counter()
    warnings = _write(job, scan, volume, result)
    seconds = dict(result.seconds) | {"write": perf_counter() - started_s}
    return Outcome(relative(scan), LABELLED, warnings=tuple(warnings), seconds=seconds)


def is_axial(grid: Grid) -> bool:
    """Tell whether a scan's thick slices are stacked along the spine."""
    zooms_mm = grid.reoriented(("L", "I", "P")).zooms_mm
    return bool(zooms_mm[1] == zooms_mm.max() and zooms_mm[1] > AXIAL_RATIO * zooms_mm.min())


def _write(job: Job, scan: Scan, volume: Volume, result: Result) -> list[str]:
    """Write the files of a labelled scan; return the warnings on it."""
    files = files_of(job, scan)
    files.labels.parent.mkdir(parents=True, exist_ok=True)
    voxels = write_discs(files.labels, volume.grid, result.labeling.points, like=scan.image)
    warnings = gather_warnings(result.labeling, voxels, contrast_of(scan))
    warnings += geometry_warnings(scan.image)
    if files.cord:
        warnings += _write_levels(job, scan, files, volume.grid, voxels)
    report = build_report(
        inputs={"image": relative(scan), "contrast": contrast_of(scan)},
        outputs={"discs": files.labels.name},
        labeling=result.labeling,
        voxels=voxels,
        warnings=warnings,
        model={"file": job.model.name if job.model else "installed", "sha256": job.checksum},
        versions=installed_versions(),
        seconds={},  # in the record: the same scan gives the same report
    )
    if files.picture:
        discs = written_discs(result.labeling, report)
        draw_overlay(files.picture, volume, discs, title=scan.stem)
    write_json(files.report, report)
    write_json(files.sidecar, sidecar(job, scan))
    return warnings


def _write_levels(job: Job, scan: Scan, files: ScanFiles, grid: Grid, voxels) -> list[str]:
    """Write the levels of the segmented cord; a segmentation that cannot be used is a warning."""
    points = {value: grid.to_world(ijk) for value, ijk in voxels.items()}
    try:
        cord = label_cord(read_cord(files.cord, grid), points)
        write_volume(files.levels, cord.levels, like=files.cord)
    except DeepspineError as error:
        return [f"no levels of the cord: {error}"]
    discs = f"bids::{scan.folder}/{files.labels.name}"
    write_json(files.levels_sidecar, sidecar(job, scan, discs))
    return cord.warnings
