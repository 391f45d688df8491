"""An entry in SCT's quality-control report (SCT 7.0 or newer), written without SCT.

A report is a folder with a page that reads ``js/datasets.js``, which SCT writes anew from the files
in ``_json`` whenever it adds an entry. An entry added here is in both, so that SCT's page shows it
at once, and still does when SCT has added entries of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from .. import __version__
from ..files.atomic import atomic_path, remove_abandoned
from ..files.gathering import rebuild
from ..files.lock import locked
from ..files.tables import read_json

_LONGEST_NAME = 80
_PICTURES = ("backgroundImage", "overlayImage")  # without both, SCT's page shows no entry at all
_LOG = logging.getLogger(__name__)
_UUID_LINE = re.compile(r"^window\.SCT_QC_UUID = '(.+)';", re.MULTILINE)


def add_entry(
    report: str | os.PathLike[str],
    identity: Mapping[str, str],
    image: str | os.PathLike[str],
    cmdline: str,
    background: Path,
    overlay: Path,
    when: datetime | None = None,
) -> Path:
    """Add one image to the report, also while SCT and other processes add theirs.

    Parameters
    ----------
    report : path
        Folder of the report; made when missing.
    identity : mapping
        `dataset`, `subject` and `contrast`.
    image : path
        Image that was labeled. Where it is a link, the entry names what it leads to, as SCT's do.
    cmdline : str
        Command that labeled it, as typed in the current folder. Its first word names the command.
    background, overlay : Path
        Pictures of one size, in the folder of the report; the overlay is transparent.
    when : datetime, optional
        Date of the entry, by default now.

    Returns
    -------
    Path
        File of the entry.

    Raises
    ------
    DeepspineError
        When the report cannot be written.
    """
    report = Path(report)
    entries = report / "_json"
    for folder in (entries, report / "js"):
        folder.mkdir(parents=True, exist_ok=True)
    # SCT's own lock is in the folder for temporary files, which each job of a cluster may have to itself.
    with (
        locked(entries / ".lock"),
        locked(lock_file(report), optional=True),
        _free_place(entries, when or datetime.now()) as (path, date),
    ):
        entry = {
            "path": str(Path.cwd()),
            "cmdline": cmdline,
            "command": cmdline.split()[0],
            "sctVersion": f"deepspine_sct {__version__}",
            **{key: str(identity[key]) for key in ("dataset", "subject", "contrast")},
            "inputFile": Path(image).resolve().name,
            "plane": "Sagittal",
            "backgroundImage": background.relative_to(report).as_posix(),
            "overlayImage": overlay.relative_to(report).as_posix(),
            "date": date.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "rank": "",
            "qc": "",
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(entry, indent=1))
        _write_datasets(report)
    return path


def default_identity(image: str | os.PathLike[str]) -> dict[str, str]:
    """Name data set, subject and contrast after the folders of an image, as SCT's own commands do.

    Parameters
    ----------
    image : path
        Path of the image, for example ``<dataset>/<subject>/<contrast>/t2.nii.gz``. Links are
        followed first, as SCT does, so that one scan has one identity in all entries of a report.

    Returns
    -------
    dict of str to str
        `dataset`, `subject` and `contrast`; empty where the path has no such folder.
    """
    parents = [folder.name for folder in Path(image).resolve().parents]
    contrast, subject, dataset = (parents + ["", "", ""])[:3]
    return {"dataset": dataset, "subject": subject, "contrast": contrast}


def picture_folder(report: Path, identity: Mapping[str, str], command: str, when: datetime) -> Path:
    """Make the folder of an entry's pictures, laid out as SCT does it, whatever characters the names hold.

    Parameters
    ----------
    report : Path
        Folder of the report.
    identity : mapping
        `dataset`, `subject` and `contrast`.
    command : str
        Its first word names a folder.
    when : datetime
        Names the innermost folder; moved on until there is none of this name.
    """
    names = (*(identity[key] for key in ("dataset", "subject", "contrast")), command.split()[0])
    parts = [re.sub(r"[^0-9A-Za-z_+-]", "-", name)[:_LONGEST_NAME] or "unknown" for name in names]
    for earlier in report.joinpath(*parts).glob("*"):  # a run that was killed in one of these writes there no more
        remove_abandoned(earlier)
    while (place := report.joinpath(*parts, f"{when:%Y_%m_%d_%H%M%S.%f}")).exists():
        when += timedelta(microseconds=1)
    place.mkdir(parents=True)
    return place


def lock_file(report: Path) -> Path:
    """Name the file that SCT locks while it writes to a report.

    SCT takes `portalocker.BoundedSemaphore(maximum=1)`, which locks the first of its files in the
    folder for temporary files.
    """
    folder = report.resolve()
    digest = hashlib.md5(os.fsencode(folder), usedforsecurity=False).hexdigest()
    return Path(tempfile.gettempdir()) / f"sct_qc-{folder.name}-{digest}.00.lock"


@contextmanager
def _free_place(entries: Path, when: datetime) -> Iterator[tuple[Path, datetime]]:
    """Name the file of an entry; its date is moved on by microseconds until no other has it.

    A hidden file, which only one process can create, keeps the place also where nothing can be locked.
    """
    while True:
        path = entries / f"qc_{when:%Y_%m_%d_%H%M%S.%f}.json"
        kept = path.with_name(f".{path.name}.place")
        with suppress(FileExistsError):
            kept.touch(exist_ok=False)
            if not path.exists():
                break
            kept.unlink()
        when += timedelta(microseconds=1)
    try:
        yield path, when
    finally:
        kept.unlink(missing_ok=True)


def _write_datasets(report: Path) -> None:
    """Rebuild what SCT's page reads, under the identity that the report has already, if any."""
    datasets = report / "js" / "datasets.js"
    known = _UUID_LINE.search(datasets.read_text(encoding="utf-8", errors="replace")) if datasets.is_file() else None
    identity = known.group(1) if known else str(uuid.uuid4())

    def write(paths: Sequence[Path]) -> None:
        entries = [entry for entry in map(_read_entry, paths) if entry is not None]
        with atomic_path(datasets) as path:
            path.write_text(f"window.SCT_QC_UUID = '{identity}';\nwindow.SCT_QC_DATASETS = {json.dumps(entries)};\n")

    rebuild(report / "_json", "*.json", write)


def _read_entry(path: Path) -> dict | None:
    """Read an entry of anybody's; None, with a warning, for one that would break SCT's page."""
    try:
        entry = read_json(path)
        if isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in _PICTURES):
            return entry
        fault = "is no entry with two pictures"
    except (OSError, ValueError) as error:
        fault = f"cannot be read ({' '.join(str(error).split())})"
    _LOG.warning("%s: %s, so it is left out of the report; remove it, or make it again", path, fault)
    return None
