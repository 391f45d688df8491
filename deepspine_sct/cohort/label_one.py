"""What a worker does to every scan: ask `scan.label_scan` for its files, and add what BIDS wants of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from deepspine_sct import __version__
from deepspine_sct.cohort.bids_derivative import (
    ScanFiles,
    command_of,
    contrast_of,
    discs_sidecar,
    files_of,
    identity_of,
    levels_sidecar,
)
from deepspine_sct.cohort.corrected import corrected_files, kept_cautions
from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.data.bids import Scan
from deepspine_sct.errors import DeepspineError, NoDiscFound
from deepspine_sct.files.edited import as_written
from deepspine_sct.files.tables import write_json
from deepspine_sct.files.target import remove
from deepspine_sct.image.grid import CANONICAL, Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.landmarks.measures import Measure, measure_cord, measure_discs, write_measures
from deepspine_sct.quality_control.identity import Identity
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED, SKIPPED
from deepspine_sct.quality_control.scan_entry import write_scan_entry
from deepspine_sct.scan.inputs import ScanInputs, no_cord_levels, read_inputs
from deepspine_sct.scan.label_scan import Labelled, label_scan
from deepspine_sct.scan.looks import Looks
from deepspine_sct.scan.output_paths import OutputPaths
from deepspine_sct.scan.request import ScanRequest
from deepspine_sct.scan.write_outputs import IncompleteOutputs, write_outputs
from deepspine_sct.stopwatch import Stopwatch

AXIAL_RATIO = 2.5
"""Slices stacked along the spine and this many times thicker than a pixel make an axial scan."""


def label_one(job: Job, scan: Scan, volume: Volume, looks: Looks) -> Outcome:
    """Label a scan and write its files; a label file that a person has corrected stays as it is.

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
        return Outcome(scan.path, SKIPPED, "is an axial scan; discs are told apart from the side")
    files = files_of(job, scan)
    if files.cord_hidden:  # it is not known that there is none, so the scan must not pass as one without
        raise DeepspineError(files.cord_fault)
    corrected = corrected_files(files)
    request = make_request(job, scan, files, corrected)
    watch = Stopwatch()
    inputs = read_inputs(request, volume)
    of_cord = (no_cord_levels(files.cord_fault),) if files.cord_fault else ()
    inputs = replace(inputs, cautions=(*inputs.cautions, *of_cord, *kept_cautions(files, corrected)))
    try:
        labelled = label_scan(request, looks.predictor, inputs, watch, looks)
    except NoDiscFound as error:
        if files.entry:  # a person who sees the picture can place the discs
            write_scan_entry(*_where(job, scan), volume, FAILED, str(error), made=_made(job, scan, files))
        raise
    try:
        report = write_outputs(labelled, watch)
    except IncompleteOutputs as error:  # the label file does not stay: the record of a failure takes its place
        raise DeepspineError(f"not every file could be written: {error.faults}") from error
    _write_sidecars(job, scan, files, corrected, has_levels=labelled.cord_labels is not None)
    write_measures(files.measures, _measure(labelled, inputs))
    if files.entry:
        with watch.stage("pictures"):
            write_scan_entry(
                *_where(job, scan), volume, report=report.to_dict(), prediction=labelled.result.prediction,
                made=_made(job, scan, files),
            )  # fmt: skip
    codes = tuple(caution.code for caution in report.warnings)
    return Outcome(scan.path, LABELLED, warnings=report.warnings, codes=codes, seconds=watch.seconds)


def _write_sidecars(job: Job, scan: Scan, files: ScanFiles, corrected: Collection[Path], has_levels: bool) -> None:
    """Say what made the label files of this run; levels of an earlier one, which may contradict the discs, go."""
    has_discs = files.labels not in corrected
    if has_discs:
        write_json(files.sidecar, discs_sidecar(job, scan, files) | as_written(files.labels))
    if files.levels in corrected:
        return
    if has_levels:
        write_json(files.levels_sidecar, levels_sidecar(job, scan, files, has_discs) | as_written(files.levels))
    else:
        for path in (files.levels, files.levels_sidecar):
            remove(path)


def _measure(labelled: Labelled, inputs: ScanInputs) -> Iterator[Measure]:
    """Measure the discs, and the cord where it is segmented."""
    yield from measure_discs(labelled.points)
    if labelled.cord_labels:
        yield from measure_cord(inputs.cord, labelled.cord_labels)


def _where(job: Job, scan: Scan) -> tuple[Path, Identity, Path]:
    """Folder of the page, what the page calls the scan, and its file."""
    return job.target, identity_of(job, scan), scan.image


def _made(job: Job, scan: Scan, files: ScanFiles) -> dict[str, str]:
    """Say what makes the labels of a scan."""
    return {"date": job.date, "command": command_of(job, scan, files), "model": job.checksum, "version": __version__}


def is_axial(grid: Grid) -> bool:
    """Tell whether a scan's thick slices are stacked along the spine."""
    zooms_mm = grid.reoriented(CANONICAL).zooms_mm
    return bool(zooms_mm[1] == zooms_mm.max() and zooms_mm[1] > AXIAL_RATIO * zooms_mm.min())


def make_request(job: Job, scan: Scan, files: ScanFiles, corrected: Collection[Path] = ()) -> ScanRequest:
    """Say what a job asks of a scan: the same scan gives the same files on every machine, but for corrected ones."""
    return ScanRequest(
        name=scan.path,
        image=scan.image,
        contrast=contrast_of(scan),
        cord=files.cord,
        cord_may_fail=True,
        beside=files.beside,
        model=job.model,
        repeatable=True,
        outputs=OutputPaths(
            discs=None if files.labels in corrected else files.labels,
            json=files.report,
            levels=None if files.levels in corrected or not files.cord else files.levels,
        ),
    )
