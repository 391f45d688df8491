"""An entry in SCT's quality-control report (SCT 7.0 or newer), written without SCT.

A report is a folder with a page that reads ``js/datasets.js``, which SCT writes anew from the files
in ``_json`` whenever it adds an entry. An entry added here is in both, so that SCT's page shows it
at once, and still does when SCT has added entries of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from .. import __version__
from ..files.atomic import atomic_path
from ..files.lock import locked

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
        When the report stays locked or cannot be written.
    """
    report = Path(report)
    entries = report / "_json"
    for folder in (entries, report / "js"):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(lock_file(report)):
        path, when = _free_place(entries, when or datetime.now())
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
            "date": when.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "rank": "",
            "qc": "",
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(entry, indent=1))
        _write_datasets(report)
    return path


def lock_file(report: Path) -> Path:
    """Name the file that SCT locks while it writes to a report.

    SCT takes `portalocker.BoundedSemaphore(maximum=1)`, which locks the first of its files in the
    folder for temporary files.
    """
    folder = report.resolve()
    digest = hashlib.md5(os.fsencode(folder), usedforsecurity=False).hexdigest()
    return Path(tempfile.gettempdir()) / f"sct_qc-{folder.name}-{digest}.00.lock"


def _free_place(entries: Path, when: datetime) -> tuple[Path, datetime]:
    """Name the file of an entry; its date is moved on by microseconds until no other has it."""
    while (path := entries / f"qc_{when:%Y_%m_%d_%H%M%S.%f}.json").exists():
        when += timedelta(microseconds=1)
    return path, when


def _write_datasets(report: Path) -> None:
    """Rebuild what SCT's page reads, under the identity that the report has already, if any."""
    datasets = report / "js" / "datasets.js"
    known = _UUID_LINE.search(datasets.read_text()) if datasets.exists() else None
    identity = known.group(1) if known else str(uuid.uuid4())
    entries = [json.loads(path.read_text()) for path in sorted((report / "_json").glob("*.json"))]
    with atomic_path(datasets) as path:
        path.write_text(f"window.SCT_QC_UUID = '{identity}';\nwindow.SCT_QC_DATASETS = {json.dumps(entries)};\n")
