"""What is known of every scan: one small file each, so that no two writers ever share one.

A record is written as a whole or not at all, after the files that it speaks of. Whatever is killed
and whenever, a scan has either a record, and then its files are complete, or none, and then it is
done again. A record counts only while the network, the program's version and the input files are
those it was made with, and none of its files is missing or damaged. A scan that is not labelled has
no label files: those of an earlier run go after their record, and before the one that says what
became of the scan. Only label files that a person has corrected stay, whatever becomes of the scan.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

from deepspine_sct import __version__
from deepspine_sct.cohort.bids_derivative import LOG_FOLDER, ScanFiles, files_of
from deepspine_sct.cohort.corrected import corrected_files
from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.data.bids import Scan
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.tables import read_json, write_json
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED


def read_record(path: Path) -> tuple[Outcome, dict] | None:
    """Read what became of a scan, and what that was made from; None where nothing is known."""
    try:
        record = {"codes": [], **read_json(path)}  # older versions wrote no codes
        outcome = {field.name: record[field.name] for field in fields(Outcome)}
        lists = {name: tuple(outcome[name]) for name in ("warnings", "codes")}
        return Outcome(**outcome | lists), record["made_from"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(job: Job, scan: Scan, outcome: Outcome) -> None:
    """Note what became of a scan, and remove the labels that it no longer has.

    A success that another worker noted before is kept, with its files. A scan whose files would lie outside of
    the target folder gets no record, and is tried again in the next run.
    """
    if outcome.kind == FAILED and settled(job, scan):
        return
    try:
        files = files_of(job, scan)
    except DeepspineError:  # which is why it has failed, as its worker said
        return
    if outcome.kind != LABELLED:
        _remove_labelling(files)
    files.record.parent.mkdir(parents=True, exist_ok=True)
    write_json(files.record, asdict(outcome) | {"made_from": made_from(job, scan, files)})


def _remove_labelling(files: ScanFiles) -> None:
    """Remove the labels of an earlier run and all that was made from them, but for what a person has corrected.

    The last that is written goes first: where another worker writes at the same time, what is removed of its
    files includes the first one, without which its record does not count.
    """
    corrected = corrected_files(files)
    for path in (files.record, *(path for path in reversed(files.labelling()) if path not in corrected)):
        with suppress(OSError):  # it is not there, or its folder cannot be written: the record says what holds
            path.unlink()


def settled(job: Job, scan: Scan) -> Outcome | None:
    """Return what became of a scan if that still holds: it was not a failure, and nothing changed."""
    with suppress(DeepspineError):
        files = files_of(job, scan)
        known = None if files.cord_hidden else read_record(files.record)
        if known and known[0].kind != FAILED and known[1] == made_from(job, scan, files):
            has_levels = files.cord is not None and "no_cord_levels" not in known[0].codes
            needed = [*files.results(), *([files.levels, files.levels_sidecar] if has_levels else [])]
            complete = known[0].kind != LABELLED or all(map(_is_whole, needed))
            return known[0] if complete else None
    return None


def _is_whole(path: Path) -> bool:
    """Tell a result that is there from one that a full disk, or somebody, has damaged; an image is not read."""
    try:
        if path.suffix == ".json":
            read_json(path)
        return path.is_file() and path.stat().st_size > 0
    except (OSError, ValueError):
        return False


def made_from(job: Job, scan: Scan, files: ScanFiles) -> dict:
    """Say what the result of a scan depends on: program, network, and size and date of its inputs."""
    paths = (scan.image, files.cord, *files.beside)
    inputs = {str(path.relative_to(path.parents[2])): path for path in paths if path}
    return {
        "version": __version__,
        "model": job.checksum,
        "inputs": {name: _stamp(path) for name, path in inputs.items()},
    }


def _stamp(path: Path) -> list[int]:
    """Size [bytes] and date [ns] of a file, empty where it is gone."""
    with suppress(OSError):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns]
    return []


def recorded_suffixes(target: Path) -> set[str]:
    """BIDS suffixes of all scans that have a record in a target folder."""
    logs = target / LOG_FOLDER
    records = (path for place in ("sub-*", "sub-*/ses-*") for path in logs.glob(f"{place}/anat/sub-*.json"))
    return {path.stem.rpartition("_")[2] for path in records}


def take_up(job: Job, scans: Iterable[Scan], again: bool = False) -> list[Scan]:
    """Choose the scans that have to be done and drop what is known of them.

    A record of an older network must go before its files are replaced: a run that is killed in
    between would otherwise leave files of two networks under one record. Failures settle nothing,
    so they stay known until the scan is done again.

    Parameters
    ----------
    job : Job
        The run.
    scans : iterable of Scan
        What to choose from.
    again : bool
        Choose all of them.

    Returns
    -------
    list of Scan
        Those that failed before come last: a run that never lives long must still get on.
    """
    fresh, failed = [], []
    for scan in scans:
        if not again and settled(job, scan):
            continue
        with suppress(DeepspineError):  # its worker will say what is wrong with its name
            record = files_of(job, scan).record
            known = read_record(record)
            if known and known[0].kind == FAILED:
                failed.append(scan)
                continue
            record.unlink(missing_ok=True)
        fresh.append(scan)
    return fresh + failed
