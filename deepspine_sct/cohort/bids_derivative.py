"""Where the results of a scan go, and what BIDS wants to be told about them.

::

    OUT/dataset_description.json
    OUT/sub-X[/ses-Y]/anat/<scan>_label-discs_dlabel.nii.gz    the discs
                           <scan>_label-discs_dlabel.json      what they are and what made them
                           <scan>_label-discs_report.json      places and confidences
                           <scan>_label-discs_overlay.png      picture, where asked for
                           <scan>_label-vertebrae_dseg.nii.gz  levels of the cord, where segmented
    OUT/logs/sub-X[/ses-Y]/anat/<scan>.json                    what became of it
                                <scan>.log                     what its worker said
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from deepspine_sct import __version__
from deepspine_sct.cohort.job import Job
from deepspine_sct.data.bids import CONTRASTS, Scan
from deepspine_sct.data.discovery import relative
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files import provenance
from deepspine_sct.files.tables import write_json
from deepspine_sct.image.source import SUFFIXES

DESCRIPTION_NAME = "dataset_description.json"
LOG_FOLDER = "logs"

CORD_SUFFIXES = ("_label-SC_seg", "_label-SC_mask", "_seg", "_seg-manual")
"""What follows a scan's name in that of its cord segmentation; the first that exists counts."""

_OTHER_CONTRASTS = {"T2star": "t2s", "T2starw": "t2s", "PDw": "pd"}

_VALUE = "[0-9A-Za-z+]+"
_FOLDER = re.compile(rf"sub-{_VALUE}(/ses-{_VALUE})?/anat")
_STEM = re.compile(rf"sub-{_VALUE}(_[0-9A-Za-z]+-{_VALUE})*_[0-9A-Za-z]+")


@dataclass(frozen=True)
class ScanFiles:
    """Files of one scan below the target folder.

    Attributes
    ----------
    labels, sidecar, report : always written
    picture : None where it was not asked for
    levels, levels_sidecar : of the cord; None where it is not segmented
    cord : segmentation that is read; None where there is none
    beside : other scans of the session that help to name the discs
    record, log : what became of the scan, and what its worker said
    """

    labels: Path
    sidecar: Path
    report: Path
    picture: Path | None
    levels: Path | None
    levels_sidecar: Path | None
    cord: Path | None
    beside: tuple[Path, ...]
    record: Path
    log: Path

    def results(self) -> list[Path]:
        """List what every labelled scan has."""
        paths = (self.labels, self.sidecar, self.report, self.picture)
        return [path for path in paths if path is not None]


def files_of(job: Job, scan: Scan) -> ScanFiles:
    """Name the files of a scan.

    Raises
    ------
    DeepspineError
        When its name, or a link in the target folder, would lead out of the target folder.
    """
    if not (_FOLDER.fullmatch(scan.folder) and _STEM.fullmatch(scan.stem)):
        raise DeepspineError(f"{relative(scan)}: is not named as BIDS asks; rename it")
    folder, logs = job.target / scan.folder, job.target / LOG_FOLDER / scan.folder
    for place in (folder, logs):
        if not place.resolve().is_relative_to(job.target.resolve()):
            raise DeepspineError(f"{place}: leads out of {job.target}; remove the link")
    cord = _find_cord(job, scan)
    discs, levels = f"{scan.stem}_label-discs", f"{scan.stem}_label-vertebrae_dseg"
    return ScanFiles(
        labels=folder / f"{discs}_dlabel.nii.gz",
        sidecar=folder / f"{discs}_dlabel.json",
        report=folder / f"{discs}_report.json",
        picture=folder / f"{discs}_overlay.png" if job.pictures else None,
        levels=folder / f"{levels}.nii.gz" if cord else None,
        levels_sidecar=folder / f"{levels}.json" if cord else None,
        cord=cord,
        beside=_find_others(job, scan),
        record=logs / f"{scan.stem}.json",
        log=logs / f"{scan.stem}.log",
    )


def _find_cord(job: Job, scan: Scan) -> Path | None:
    if job.cords is None:
        return None
    paths = (job.cords / scan.folder / f"{scan.stem}{suffix}.nii.gz" for suffix in CORD_SUFFIXES)
    return next((path for path in paths if path.exists()), None)


def _find_others(job: Job, scan: Scan) -> tuple[Path, ...]:
    """Other scans in the folder of a scan, where they are to name each other's discs."""
    if not job.together:
        return ()
    endings = tuple(f"_{suffix}{ending}" for suffix in job.together for ending in SUFFIXES)
    found = sorted(path for path in scan.image.parent.iterdir() if path.name.endswith(endings))
    return tuple(path for path in found if path.exists() and path.name.split(".")[0] != scan.stem)


def contrast_of(scan: Scan) -> str:
    """Contrast of a scan, as `sct_deepspine_label -c` names it."""
    known = {suffix: contrast for contrast, suffix in CONTRASTS.items()} | _OTHER_CONTRASTS
    return known.get(scan.contrast, "other")


def command_of(job: Job, scan: Scan) -> str:
    """Write the command that makes the same label file, from the data set's folder.

    It names neither the machine nor how the run was spread out, which change no result.
    """
    words = ["sct_deepspine_label", "-i", relative(scan), "-c", contrast_of(scan)]
    words += ["-o", files_of(job, scan).labels.name]
    beside = [f"{scan.folder}/{path.name}" for path in files_of(job, scan).beside]
    words += ["-with", *beside] if beside else []
    return shlex.join(words + (["-model", job.model.name] if job.model else []))


def sidecar(job: Job, scan: Scan, *more_sources: str) -> dict:
    """Describe a file that was made from a scan, and perhaps from more, given as BIDS URIs."""
    maker = provenance.generated_by(job.checksum, job.date, command_of(job, scan))
    return provenance.sidecar([maker], Sources=[f"bids:raw:{relative(scan)}", *more_sources])


def open_target(target: Path, source: Path, checksum: str) -> str:
    """Make the output folder a BIDS derivative data set of this program, unless it is one already.

    Returns
    -------
    str
        The date that its files carry: when the first run with this network and version began, so
        that a scan which is labelled again gives the same files.

    Raises
    ------
    DeepspineError
        When the folder holds another data set, or cannot be written.
    """
    if target.resolve() == source.resolve():
        raise DeepspineError(f"{target}: is the data set itself; give another folder for the results")
    target.mkdir(parents=True, exist_ok=True)
    known = _own_description(target / DESCRIPTION_NAME)
    if (known.get("Version"), known.get("ModelChecksum")) == (__version__, checksum) and "Date" in known:
        return known["Date"]
    date = provenance.now()
    uri = source.resolve().as_uri()
    description = {
        "Name": "Labels of intervertebral discs",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [provenance.generated_by(checksum, date)],
        "SourceDatasets": [{"URL": uri}],
        "DatasetLinks": {"raw": uri},
    }
    write_json(target / DESCRIPTION_NAME, description)
    return date


def _own_description(path: Path) -> dict[str, str]:
    """Read what the description of a target folder says of its maker; {} where there is none."""
    if not path.exists():
        return {}
    try:
        (maker, *_) = json.loads(path.read_text())["GeneratedBy"]
        if maker["Name"] == provenance.NAME:
            return maker
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DeepspineError(f"{path.parent}: holds another data set; give a new or an empty folder")
