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
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.lock import locked

PAGE_NAME = "deepspine.html"
ENTRIES_NAME = "deepspine"
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
        When the folder cannot be written, or another process keeps the page locked.
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
        place.mkdir(exist_ok=True)
        for name, picture_png in pictures.items():
            with atomic_path(place / f"{name}.png") as path:
                path.write_bytes(picture_png)
        with atomic_path(place.with_name(f"{place.name}.json")) as path:
            path.write_text(json.dumps(entry, allow_nan=False))
        with atomic_path(folder / PAGE_NAME) as path:
            path.write_bytes(render_page(entries))
    return place


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
    shown = [_entry(path) for path in sorted(entries.glob("*.json"), reverse=True)]
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
        discs: list[dict[str, Any]] = [
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
    """Remove the pictures of killed writers, which have no entry. Call it under the lock."""
    for place in entries.iterdir():
        has_entry = place.with_name(f"{place.name}.json").exists()
        if _PLACE.fullmatch(place.name) and not has_entry and not place.is_symlink():
            shutil.rmtree(place, ignore_errors=True)


def _free_place(entries: Path, when: datetime) -> tuple[Path, datetime]:
    """Folder of an entry's pictures, so named that the order of names is that of dates, as in SCT.

    The date is moved on by microseconds until no entry has it. Call it under the lock.
    """
    while (place := entries / f"{when:%Y_%m_%d_%H%M%S.%f}").with_name(f"{place.name}.json").exists():
        when += timedelta(microseconds=1)
    return place, when
