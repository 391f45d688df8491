"""A quality-control page without a server: one HTML file beside the pictures it shows.

Every scan leaves a JSON entry ``<folder>/deepspine/<date>.json`` and a folder of PNG pictures of
the same name; the page ``<folder>/deepspine.html`` is rebuilt from all of them. Nothing on it comes
from outside of the folder, so it opens from a file on a machine without a network, and the folder
can be moved as a whole. SCT's own report may live in the same folder; its files are not touched.
"""

import base64
import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from string import Template

from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.gathering import rebuild
from deepspine_sct.files.lock import locked

PAGE_NAME = "deepspine.html"
ENTRIES_NAME = "deepspine"
ABANDONED_S = 600.0
"""Pictures without an entry are left alone for this long: where nothing can be locked, they may be another writer's."""

_DATE_FORMAT = "%Y_%m_%d_%H%M%S.%f"
_PLACE = re.compile(r"\d{4}_\d\d_\d\d_\d{6}\.\d{6}")  # as `_free_place` names it


def default_identity(image: str | Path) -> dict[str, str]:
    """Name data set, subject and contrast after the folders of an image, as SCT's report does.

    Parameters
    ----------
    image : str or Path
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


def add_entry(
    folder: str | Path,
    identity: Mapping[str, str],
    report: Mapping,
    pictures: Mapping[str, bytes],
    when: datetime | None = None,
) -> Path:
    """Add one scan to the page, also while other processes add theirs.

    Parameters
    ----------
    folder : str or Path
        Folder of the page; made when missing.
    identity : mapping
        `dataset`, `subject` and `contrast`.
    report : mapping
        What `sct_deepspine_label -json` writes.
    pictures : mapping of str to bytes
        PNG files by name. `overlay` is shown on `background`, the others beside them.
    when : datetime, optional
        Date of the entry, by default now.

    Returns
    -------
    Path
        Folder of the entry's pictures, each ``<name>.png``.

    Raises
    ------
    DeepspineError
        When the folder cannot be written.
    """
    folder = Path(folder)
    entries = folder / ENTRIES_NAME
    entries.mkdir(parents=True, exist_ok=True)
    with locked(entries / ".lock"):
        _remove_abandoned(entries)
        place, when = _free_place(entries, when or datetime.now())
        entry = {
            **identity,
            "date": when.isoformat(sep=" ", timespec="seconds"),
            "image": str(Path(report["inputs"]["image"]).absolute()),
            "pictures": list(pictures),
            "report": report,
        }
        # The pictures first: an entry whose writer was killed in between is no entry yet.
        for name, picture_png in pictures.items():
            with atomic_path(place / f"{name}.png") as path:
                path.write_bytes(picture_png)
        with atomic_path(place.with_name(f"{place.name}.json")) as path:
            path.write_text(json.dumps(entry, allow_nan=False))
        rebuild(entries, "*.json", lambda _: _write_page(folder / PAGE_NAME, entries))
    return place


def _write_page(page: Path, entries: Path) -> None:
    with atomic_path(page) as path:
        path.write_bytes(render_page(entries))


def render_page(entries: Path) -> bytes:
    """Build the page from the files of its entries, newest first.

    Parameters
    ----------
    entries : Path
        Folder with a JSON file and a folder of pictures for each entry.

    Returns
    -------
    bytes
        HTML in UTF-8. An entry that cannot be read is named on the page and does no harm.
    """
    shown = [_entry(path) for path in sorted(entries.glob("[!.]*.json"), reverse=True)]
    template, style, script = (_asset(name) for name in ("page.html", "page.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    page = Template(template).substitute(
        # Of all scripts only the page's own may run, and nothing may be fetched.
        policy=f"script-src 'sha256-{digest}'; connect-src 'none'; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-src 'none'",
        style=style,
        # A data block ends at the first "</script", wherever it stands.
        entries=json.dumps(shown, allow_nan=False).replace("<", "\\u003c"),
        script=script,
    )
    return page.encode()


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _entry(path: Path) -> dict:
    """Read an entry as the page's script takes it: every value of the type that it counts on."""
    try:
        entry = json.loads(path.read_text())
        report = entry["report"]
        discs = [
            {
                "value": int(disc["value"]),
                "name": str(disc["name"]),
                "voxel": [int(index) for index in disc["voxel"]],
                "world_mm": [float(mm) for mm in disc["world_mm"]],
                "confidence": float(disc["confidence"]),
            }
            for disc in report["discs"]
        ]
        values = [disc["value"] for disc in discs]
        return {
            "id": path.stem,
            **{key: str(entry[key]) for key in ("dataset", "subject", "contrast", "date", "image")},
            "file": Path(str(entry["image"])).name,
            "span": f"{min(values)} to {max(values)}" if values else "none",
            "weakest": min((disc["confidence"] for disc in discs), default=0.0),
            "level_confidence": float(report["level_confidence"]),
            "warnings": [_sentence(warning) for warning in report["warnings"]],
            "pictures": {
                name: f"{ENTRIES_NAME}/{path.stem}/{name}.png"
                for name in map(str, entry["pictures"])
                if name.isidentifier()
            },
            "discs": discs,
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _damaged(path)


def _sentence(warning: object) -> str:
    """Text of a warning; reports of older versions hold the text alone."""
    return str(warning["text"] if isinstance(warning, dict) else warning)


def _damaged(path: Path) -> dict:
    """Stand in for an entry that cannot be read."""
    words = dict.fromkeys(("dataset", "subject", "contrast", "date", "image", "span"), "")
    fault = [f"{path.name} cannot be read"]
    numbers = {"weakest": 0.0, "level_confidence": 0.0}
    return {
        "id": path.stem, "damaged": True, **words, **numbers,
        "file": fault[0], "warnings": fault, "pictures": {}, "discs": [],
    }  # fmt: skip


def _remove_abandoned(entries: Path) -> None:
    """Remove the pictures of killed writers, which have no entry; a young one may still be written."""
    for place in entries.iterdir():
        has_entry = place.with_name(f"{place.name}.json").exists()
        if not _PLACE.fullmatch(place.name) or has_entry or place.is_symlink():
            continue
        with suppress(OSError):  # another writer was faster
            if time.time() - place.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(place, ignore_errors=True)


def _free_place(entries: Path, when: datetime) -> tuple[Path, datetime]:
    """Make the folder of an entry's pictures, so named that the order of names is that of dates, as in SCT.

    The date is moved on by microseconds until no entry has it; of two writers only one can make a folder.
    """
    while True:
        place = entries / when.strftime(_DATE_FORMAT)
        with suppress(FileExistsError):
            if not place.with_name(f"{place.name}.json").exists():
                place.mkdir()
                return place, when
        when += timedelta(microseconds=1)


def date_of(place: Path) -> datetime:
    """Date of an entry, by the name of the folder of its pictures."""
    return datetime.strptime(place.name, _DATE_FORMAT)
