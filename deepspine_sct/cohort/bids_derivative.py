"""Where the results of a scan go, and what BIDS wants to be told about each of them.

::

    OUT/dataset_description.json, README.md, .bidsignore
    OUT/sub-X[/ses-Y]/anat/<scan>_label-discs_dlabel.nii.gz    the discs
                           <scan>_label-discs_dlabel.json      what they are and what made them
                           <scan>_label-discs_report.json      places and confidences
                           <scan>_label-discs_measures.tsv     distances, angles, levels of the cord
                           <scan>_label-vertebrae_dseg.nii.gz  levels of the cord, where segmented
    OUT/logs/sub-X[/ses-Y]/anat/<scan>.json                    what became of it
                                <scan>.log                     what its worker said
    OUT/deepspine.html                                         the page of all scans
    OUT/deepspine/<key>.json and <key>/                        what it shows of a scan, where asked for

Files that BIDS has no name for are listed in .bidsignore. Disc labels are among them: BIDS has no
name for points in an image yet, so they are called what spine-generic calls them.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from deepspine_sct.cohort.cords import find_cord
from deepspine_sct.cohort.job import Job
from deepspine_sct.data.bids import CONTRASTS, Scan
from deepspine_sct.data.discovery import find_beside
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files import provenance
from deepspine_sct.files.names import DISC_LABELS, beside_discs, sidecar_of
from deepspine_sct.quality_control.identity import Identity, identify
from deepspine_sct.quality_control.page_folder import ENTRIES_NAME

LOG_FOLDER = "logs"

_OTHER_CONTRASTS = {"T2star": "t2s", "T2starw": "t2s", "PDw": "pd", "STIR": "stir", "PSIR": "psir"}

_VALUE = "[0-9A-Za-z+]+"
_FOLDER = re.compile(rf"sub-{_VALUE}(/ses-{_VALUE})?/anat")
_STEM = re.compile(rf"sub-{_VALUE}(_[0-9A-Za-z]+-{_VALUE})*_[0-9A-Za-z]+")


@dataclass(frozen=True)
class ScanFiles:
    """Files of one scan below the target folder.

    Attributes
    ----------
    labels, sidecar, report, measures : always written
    entry : what the page shows of the scan; None where pictures were not asked for
    levels, levels_sidecar : of the cord; written where it is segmented
    cord : segmentation that is read; None where there is none
    cord_fault : why there is none where segmentations were given; "" else
    cord_hidden : whether it could not be seen if there is one
    beside : other scans of the session that help to name the discs
    record, log : what became of the scan, and what its worker said
    """

    labels: Path
    sidecar: Path
    report: Path
    measures: Path
    entry: Path | None
    levels: Path
    levels_sidecar: Path
    cord: Path | None
    cord_fault: str
    cord_hidden: bool
    beside: tuple[Path, ...]
    record: Path
    log: Path

    def results(self) -> list[Path]:
        """List what every labelled scan has."""
        paths = (self.labels, self.sidecar, self.report, self.measures, self.entry)
        return [path for path in paths if path is not None]

    def labelling(self) -> list[Path]:
        """List what holds only as long as the labels do, in the order in which it is written."""
        return [self.labels, self.levels, self.report, self.sidecar, self.levels_sidecar, self.measures]


def files_of(job: Job, scan: Scan) -> ScanFiles:
    """Name the files of a scan.

    Raises
    ------
    DeepspineError
        When its name, or a link in the target folder, would lead out of the target folder or nowhere.
    """
    if not (_FOLDER.fullmatch(scan.folder) and _STEM.fullmatch(scan.stem)):
        raise DeepspineError(f"{scan.path}: is not named as BIDS asks; rename it")
    folder, logs = job.target / scan.folder, job.target / LOG_FOLDER / scan.folder
    entries = job.target / ENTRIES_NAME
    for place in (folder, logs, entries):
        _check_way(place, job.target)
    found = find_cord(job.cords, scan) if job.cords else None
    cord = found.path if found else None
    labels = labels_of(job.target, f"{scan.folder}/{scan.stem}")
    beside = beside_discs(labels)
    return ScanFiles(
        labels=labels,
        sidecar=sidecar_of(labels),
        report=beside["report"],
        measures=beside["measures"],
        entry=entries / f"{identity_of(job, scan).key}.json" if job.pictures else None,
        levels=beside["levels"],
        levels_sidecar=beside["levels_sidecar"],
        cord=cord,
        cord_fault=found.fault if found else "",
        cord_hidden=bool(found and found.is_hidden),
        beside=tuple(find_beside(job.source, scan, job.together)) if job.together else (),
        record=logs / f"{scan.stem}.json",
        log=logs / f"{scan.stem}.log",
    )


def labels_of(target: Path, name: str) -> Path:
    """Name the label file of a scan, given as "sub-1/anat/sub-1_T2w"."""
    return target / f"{name}{DISC_LABELS}.nii.gz"


def _check_way(place: Path, target: Path) -> None:
    """Refuse a folder to which the links in the target folder lead out of it, or do not lead at all."""
    if not Path(os.path.realpath(place)).is_relative_to(os.path.realpath(target)):  # ends in loops, as resolve does not
        raise DeepspineError(f"{place}: leads out of {target}; remove the link")
    try:
        os.stat(place)
    except FileNotFoundError:
        return  # it is made when the files are written
    except OSError as error:
        raise DeepspineError(
            f"{place}: cannot be reached ({error.strerror}); check the links and the permissions on the way"
        ) from error


def identity_of(job: Job, scan: Scan) -> Identity:
    """Say what the page calls a scan: by its entities, and by the folder of the data set."""
    return identify(scan.image, dataset=job.source.name)


def contrast_of(scan: Scan) -> str:
    """Contrast of a scan, as `sct_deepspine_label -c` names it."""
    known = {suffix: contrast for contrast, suffix in CONTRASTS.items()} | _OTHER_CONTRASTS
    return known.get(scan.contrast, "other")


def command_of(job: Job, scan: Scan, files: ScanFiles, of_cord: bool = False) -> str:
    """Write the command that makes the same labels, of the discs or also of the cord, from the data set's folder.

    It names neither the machine nor how the run was spread out, which change no result.
    """
    words = ["sct_deepspine_label", "-i", scan.path, "-c", contrast_of(scan), "-o", files.labels.name]
    if of_cord and files.cord and job.cords:
        way = os.path.relpath(os.path.realpath(job.cords), os.path.realpath(job.source))
        words += ["-s", os.path.normpath(f"{way}/{files.cord.relative_to(job.cords)}")]
    beside = [f"{scan.folder}/{path.name}" for path in files.beside]
    words += ["-with", *beside] if beside else []
    return shlex.join(words + (["-model", job.model.name] if job.model else []))


def discs_sidecar(job: Job, scan: Scan, files: ScanFiles) -> dict:
    """Describe the disc labels of a scan: they are made from it, and from the scans that named them with it."""
    maker = provenance.generated_by(job.checksum, job.date, command_of(job, scan, files))
    return provenance.sidecar([maker], Sources=_scans(scan, files))


def levels_sidecar(job: Job, scan: Scan, files: ScanFiles, has_discs: bool) -> dict:
    """Describe the levels of the cord, which are made from its segmentation as well.

    Parameters
    ----------
    job, scan, files
        Of the scan, whose cord is segmented.
    has_discs : bool
        Whether the label file of the discs is of the same run, not a person's.
    """
    maker = provenance.generated_by(job.checksum, job.date, command_of(job, scan, files, of_cord=True))
    sources = _scans(scan, files)
    if has_discs:
        sources.append(f"bids::{scan.folder}/{files.labels.name}")
    if files.cord and job.cords:
        sources.append(f"bids:{job.cords_name}:{files.cord.relative_to(job.cords).as_posix()}")
    return provenance.sidecar([maker], Sources=sources)


def _scans(scan: Scan, files: ScanFiles) -> list[str]:
    """BIDS URIs of a scan and of those that help to name its discs."""
    return [f"bids:raw:{scan.path}", *(f"bids:raw:{scan.folder}/{path.name}" for path in files.beside)]
