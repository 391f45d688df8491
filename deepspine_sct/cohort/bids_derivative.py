"""Where the results of a scan go, and what BIDS wants to be told about them.

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
from urllib.parse import unquote, urlsplit

from deepspine_sct import __version__
from deepspine_sct.cohort.cords import find_cord
from deepspine_sct.cohort.job import Job
from deepspine_sct.data.bids import CONTRASTS, Scan
from deepspine_sct.data.discovery import find_beside
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files import provenance
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.outputs import check_folder, same_file
from deepspine_sct.files.tables import read_json, write_json
from deepspine_sct.quality_control.identity import Identity, identify
from deepspine_sct.quality_control.page_folder import ENTRIES_NAME

DESCRIPTION_NAME = "dataset_description.json"
LOG_FOLDER = "logs"

_BIDSIGNORE = """\
*_label-discs_dlabel.nii.gz
*_label-discs_dlabel.json
*_label-discs_report.json
*_label-discs_measures.tsv
*_label-vertebrae_dseg.nii.gz
*_label-vertebrae_dseg.json
deepspine_*.tsv
deepspine_*.json
deepspine.html
deepspine
logs/
"""

_README = """\
# Labels of intervertebral discs

Made by deepspine_sct. Open `deepspine.html` in a browser to look at all scans and to correct labels;
it needs neither a server nor a network.

- `sub-*/[ses-*/]anat/*_label-discs_dlabel.nii.gz`: one voxel per disc at its posterior tip, with the value of the
  Spinal Cord Toolbox: 1 = top of C1, 2 = C1/C2, 3 = C2/C3, 8 = C7/T1, 20 = T12/L1, 25 = L5/S1. The file beside it,
  `.json`, says what made it.
- `*_label-discs_report.json`: the same discs in millimetres, with the confidence of each and warnings.
- `*_label-discs_measures.tsv`: distances between the discs, angles, lordosis and kyphosis, levels of the cord.
- `*_label-vertebrae_dseg.nii.gz`: vertebral levels of the spinal cord, where a segmentation was given.
- `deepspine_images.tsv`: what became of every scan, and why it should be looked at.
- `deepspine_discs.tsv`: every disc; `deepspine_measures.tsv`: all measures. The `.json` file beside each
  table explains its columns.
- `logs/`: what became of every scan, and what the program said about it.

A scan that was looked at and has failed has no labels, also where an earlier run had found some; one whose file is
not here keeps them. A label file that a person has corrected stays: the JSON file beside it names
that person, or a program, as its last maker in `GeneratedBy`.

Files that BIDS has no name for are listed in `.bidsignore`. The disc labels are called what spine-generic calls them.
"""

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
    discs, levels = f"{scan.stem}_label-discs", f"{scan.stem}_label-vertebrae_dseg"
    return ScanFiles(
        labels=folder / f"{discs}_dlabel.nii.gz",
        sidecar=folder / f"{discs}_dlabel.json",
        report=folder / f"{discs}_report.json",
        measures=folder / f"{discs}_measures.tsv",
        entry=entries / f"{identity_of(job, scan).key}.json" if job.pictures else None,
        levels=folder / f"{levels}.nii.gz",
        levels_sidecar=folder / f"{levels}.json",
        cord=cord,
        cord_fault=found.fault if found else "",
        cord_hidden=bool(found and found.is_hidden),
        beside=tuple(find_beside(job.source, scan, job.together)) if job.together else (),
        record=logs / f"{scan.stem}.json",
        log=logs / f"{scan.stem}.log",
    )


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


def command_of(job: Job, scan: Scan) -> str:
    """Write the command that makes the same label file, from the data set's folder.

    It names neither the machine nor how the run was spread out, which change no result.
    """
    words = ["sct_deepspine_label", "-i", scan.path, "-c", contrast_of(scan)]
    words += ["-o", files_of(job, scan).labels.name]
    beside = [f"{scan.folder}/{path.name}" for path in files_of(job, scan).beside]
    words += ["-with", *beside] if beside else []
    return shlex.join(words + (["-model", job.model.name] if job.model else []))


def sidecar(job: Job, scan: Scan, *more_sources: str) -> dict:
    """Describe a file that was made from a scan, and perhaps from more, given as BIDS URIs."""
    maker = provenance.generated_by(job.checksum, job.date, command_of(job, scan))
    return provenance.sidecar([maker], Sources=[f"bids:raw:{scan.path}", *more_sources])


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
        When the folder holds another data set or the results of one, or cannot be written.
    """
    _refuse_source(target, source)
    check_folder(target)
    target.mkdir(parents=True, exist_ok=True)
    known = _own_maker(target, "give a new or an empty folder")
    _refuse_results_of_another(target, source)
    goes_on = (known.get("Version"), known.get("ModelChecksum")) == (__version__, checksum) and "Date" in known
    date = known["Date"] if goes_on else provenance.now()
    uri = source.resolve().as_uri()
    if goes_on and _recorded_source(target) == uri:
        return date
    description = {
        "Name": "Labels of intervertebral discs",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [provenance.generated_by(checksum, date)],
        "SourceDatasets": [{"URL": uri}],
        "DatasetLinks": {"raw": uri},
    }
    for name, text in ((".bidsignore", _BIDSIGNORE), ("README.md", _README)):
        with atomic_path(target / name) as path:
            path.write_text(text, encoding="utf-8")
    write_json(target / DESCRIPTION_NAME, description)
    return date


def check_target(target: Path, source: Path) -> None:
    """Refuse a folder into which this program has labelled nothing: it is not ours to write into.

    Raises
    ------
    DeepspineError
        When it is missing, is the data set itself or another data set, or holds the results of one.
    """
    _refuse_source(target, source)
    if not _own_maker(target, "give the folder into which the level participant has labelled"):
        raise DeepspineError(f"{target}: nothing was labelled into it yet; run the level participant first")
    _refuse_results_of_another(target, source)


def _refuse_source(target: Path, source: Path) -> None:
    if same_file(target, source):
        raise DeepspineError(f"{target}: is the data set itself; give another folder for the results")


def _refuse_results_of_another(target: Path, source: Path) -> None:
    """Refuse a folder that was made from another data set: scans of the same name would replace each other.

    A data set that was moved, or that this machine sees at another place, is the same one: where it was is no
    folder any more.
    """
    uri = _recorded_source(target)
    place = unquote(urlsplit(uri).path)
    if uri.startswith("file:") and os.path.isdir(place) and not same_file(Path(place), source):
        raise DeepspineError(f"{target}: holds results of another data set, {uri}; give another folder")


def _recorded_source(target: Path) -> str:
    """URI of the data set from which a target folder was made; "" where it does not say."""
    try:
        return str(read_json(target / DESCRIPTION_NAME)["SourceDatasets"][0]["URL"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""


def _own_maker(target: Path, remedy: str) -> dict[str, str]:
    """Read what the description of a target folder says of its maker; {} where there is none."""
    path = target / DESCRIPTION_NAME
    if not path.exists():
        return {}
    makers = provenance.makers_of(path)
    if makers and makers[0]["Name"] == provenance.NAME:
        return makers[0]
    raise DeepspineError(f"{target}: holds another data set; {remedy}")
