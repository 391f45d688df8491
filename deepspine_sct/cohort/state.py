"""What is known of every scan: one small file each, so that no two writers ever share one.

A record is written as a whole or not at all, after the files that it speaks of. Whatever is killed
and whenever, a scan has either a record, and then its files are complete, or none, and then it is
done again. A record counts only while the network, the program's version and the input files are
those it was made with, and none of its files is missing or damaged. A run without segmentations asks
for no levels of the cord: those of an earlier run stay as long as the record counts, and go when the
scan is labelled again. A scan that is not labelled has
no label files: those of an earlier run go after their record, and before the one that says what
became of the scan. Only label files that a person has corrected stay, whatever becomes of the scan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path

from deepspine_sct import __version__
from deepspine_sct.cohort.bids_derivative import LOG_FOLDER, ScanFiles, files_of, labels_of
from deepspine_sct.cohort.corrected import corrected_files
from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.discovery import Findings
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.names import stem_of
from deepspine_sct.files.tables import read_json, write_json
from deepspine_sct.files.target import remove
from deepspine_sct.image.whole import is_whole_image
from deepspine_sct.quality_control.entry import read_report
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED
from deepspine_sct.quality_control.page_folder import has_pictures


def read_record(path: Path) -> tuple[Outcome, dict] | None:
    """Read what became of a scan, and what that was made from; None where nothing is known."""
    try:
        record = {"codes": [], **read_json(path)}  # older versions wrote no codes
        outcome = {field.name: record[field.name] for field in fields(Outcome)}
        lists = {name: tuple(outcome[name]) for name in ("warnings", "codes")}
        return Outcome(**outcome | lists), dict(record["made_from"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_record(job: Job, scan: Scan, outcome: Outcome, inputs: dict | None = None) -> None:
    """Note what became of a scan, and remove the labels that it no longer has.

    A success that another worker noted before is kept, with its files. A scan whose files would lie outside of
    the target folder gets no record, and is tried again in the next run.

    Parameters
    ----------
    job : Job
        The run.
    scan : Scan
        Where the scan is.
    outcome : Outcome
        What became of it.
    inputs : dict, optional
        Of `inputs_of`, before the scan was read; by default as they are now.
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
    write_json(files.record, asdict(outcome) | {"made_from": inputs or made_from(job, scan, files)})


def _remove_labelling(files: ScanFiles) -> None:
    """Remove the labels of an earlier run and all that was made from them, but for what a person has corrected.

    The last that is written goes first: where another worker writes at the same time, what is removed of its
    files includes the first one, without which its record does not count.
    """
    corrected = corrected_files(files)
    for path in (files.record, *(path for path in reversed(files.labelling()) if path not in corrected)):
        with suppress(OSError, DeepspineError):  # what is protected stays; the record says that the scan has no labels
            remove(path)


def settled(job: Job, scan: Scan) -> Outcome | None:
    """Return what became of a scan if that still holds: it was not a failure, and nothing changed."""
    with suppress(DeepspineError, OSError):  # a folder that nobody may look into: the scan's worker says so
        files = files_of(job, scan)
        known = None if files.cord_hidden else read_record(files.record)
        if known and known[0].kind != FAILED:
            before, now = {"cord": {}} | known[1], made_from(job, scan, files)
            if before == (now if job.cords else now | {"cord": before["cord"]}) and (
                known[0].kind != LABELLED
                or _are_whole(files, has_levels=bool(before["cord"]) and "no_cord_levels" not in known[0].codes)
            ):
                return known[0]
    return None


def _are_whole(files: ScanFiles, has_levels: bool) -> bool:
    """Tell whether a labelled scan has all of its results; those of a person are not for us to judge."""
    needed = {*files.results(), *([files.levels, files.levels_sidecar] if has_levels else [])}
    return all(_is_whole(path, files) for path in needed - corrected_files(files))


def _is_whole(path: Path, files: ScanFiles) -> bool:
    """Tell a result that is there from one that a full disk, or somebody, has damaged."""
    if not path.is_file():  # a pipe would keep the run waiting
        return False
    try:
        if path == files.entry:
            return has_pictures(path)
        if path == files.report:
            read_report(path)
            return True
        if path.suffix == ".json":
            read_json(path)
            return True
        if path.suffix == ".tsv":
            return path.read_text(encoding="utf-8").endswith("\n")
        return is_whole_image(path)
    except (OSError, ValueError):
        return False


def inputs_of(job: Job, scan: Scan) -> dict | None:
    """Say what the result of a scan that is now to be read depends on; None where its folders lead out.

    An image that is copied anew while it is labelled has other inputs than its record, and is done again.
    """
    with suppress(DeepspineError, OSError):  # its worker says so
        return made_from(job, scan, files_of(job, scan))
    return None


def made_from(job: Job, scan: Scan, files: ScanFiles) -> dict:
    """Say what the result of a scan depends on: program, network, and size and date of its inputs."""
    return {
        "version": __version__,
        "model": job.checksum,
        "inputs": _stamps(scan.image, *files.beside),
        "cord": _stamps(files.cord) if files.cord else {},
    }


def _stamps(*paths: Path) -> dict[str, list[int]]:
    return {str(path.relative_to(path.parents[2])): _stamp(path) for path in paths}


def _stamp(path: Path) -> list[int]:
    """Size [bytes] and date [ns] of a file, empty where it is gone."""
    with suppress(OSError):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns]
    return []


def recorded_suffixes(target: Path) -> set[str]:
    """BIDS suffixes of all scans that have a record in a target folder."""
    return {name.rpartition("_")[2] for name in _recorded(target)}


def left_over(target: Path, findings: Findings) -> list[str]:
    """Name the labelled scans of a target folder that are not in the data set any more, sorted.

    Parameters
    ----------
    target : Path
        Folder of the results.
    findings : Findings
        Of a search in the whole data set for all suffixes that are recorded. What is passed over is there.

    Returns
    -------
    list of str
        Folder and name of each, such as "sub-1/anat/sub-1_T2w".
    """
    there = {f"{scan.folder}/{scan.stem}" for scan in findings.scans}
    there |= {f"{Path(image).parent.as_posix()}/{stem_of(image)}" for image in findings.skipped}
    gone = (name for name in _recorded(target) if name not in there and labels_of(target, name).exists())
    hidden = findings.skipped.keys()  # also folders, in which it is not known what there is
    return sorted(name for name in gone if not any(str(folder) in hidden for folder in Path(name).parents))


def _recorded(target: Path) -> Iterator[str]:
    """Folder and name of each scan that has a record."""
    logs = target / LOG_FOLDER
    for place in ("sub-*", "sub-*/ses-*"):
        for path in logs.glob(f"{place}/anat/sub-*.json"):
            yield path.relative_to(logs).with_suffix("").as_posix()


def levels_files(job: Job, scans: Iterable[Scan]) -> list[Path]:
    """List the levels of the cord that there are of scans."""
    found = []
    for scan in scans:
        with suppress(DeepspineError):
            found.append(files_of(job, scan).levels)
    return [path for path in found if path.exists()]


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
