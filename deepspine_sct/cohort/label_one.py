"""What a worker does to every scan: ask `scan.label_scan` for its files, and add what BIDS wants of them."""

from __future__ import annotations

from deepspine_sct.cohort.bids_derivative import ScanFiles, contrast_of, files_of, sidecar
from deepspine_sct.cohort.job import LABELLED, SKIPPED, Job, Outcome
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.discovery import relative
from deepspine_sct.files.tables import write_json
from deepspine_sct.image.grid import CANONICAL, Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.scan.inputs import read_inputs
from deepspine_sct.scan.label_scan import label_scan
from deepspine_sct.scan.looks import Looks
from deepspine_sct.scan.output_paths import OutputPaths
from deepspine_sct.scan.request import ScanRequest
from deepspine_sct.scan.write_outputs import write_outputs
from deepspine_sct.stopwatch import Stopwatch

AXIAL_RATIO = 2.5
"""Slices stacked along the spine and this many times thicker than a pixel make an axial scan."""


def label_one(job: Job, scan: Scan, volume: Volume, looks: Looks) -> Outcome:
    """Label a scan and write its files.

    Parameters
    ----------
    job : Job
        The run.
    scan : Scan
        Where the scan is.
    volume : Volume
        The scan itself.
    looks : Looks
        What the network, which they hold, saw of the scans of the session before.

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
    files = files_of(job, scan)
    request = make_request(job, scan, files)
    watch = Stopwatch()
    labelled = label_scan(request, looks.predictor, read_inputs(request, volume), watch, looks)
    report = write_outputs(labelled, watch)
    write_json(files.sidecar, sidecar(job, scan))
    if labelled.cord_labels:
        discs = f"bids::{scan.folder}/{files.labels.name}"
        write_json(files.levels_sidecar, sidecar(job, scan, discs))
    return Outcome(relative(scan), LABELLED, warnings=report.warnings, seconds=watch.seconds)


def is_axial(grid: Grid) -> bool:
    """Tell whether a scan's thick slices are stacked along the spine."""
    zooms_mm = grid.reoriented(CANONICAL).zooms_mm
    return bool(zooms_mm[1] == zooms_mm.max() and zooms_mm[1] > AXIAL_RATIO * zooms_mm.min())


def make_request(job: Job, scan: Scan, files: ScanFiles) -> ScanRequest:
    """Say what a job asks of a scan: the same scan gives the same files on every machine."""
    return ScanRequest(
        name=relative(scan),
        image=scan.image,
        contrast=contrast_of(scan),
        cord=files.cord,
        cord_may_fail=True,
        beside=files.beside,
        model=job.model,
        repeatable=True,
        outputs=OutputPaths(discs=files.labels, json=files.report, overlay=files.picture, levels=files.levels),
    )
