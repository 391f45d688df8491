"""The folder of the page: ``deepspine.html``, and beside it an entry and its pictures for each scan.

::

    FOLDER/deepspine.html
    FOLDER/deepspine/<key>.json             the entry
    FOLDER/deepspine/<key>/slice.png ...    its pictures

Each scan has files of its own, so workers on many machines write entries without waiting for each
other; only the page itself is written by one at a time. An entry is removed before its pictures
change and comes back after them: an entry that is there always fits its pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..files.atomic import atomic_path
from ..files.gathering import rebuild
from ..files.lock import locked
from .entry import Entry, read_entry
from .outcomes import DAMAGED
from .render import About, render_page
from .slice_pictures import KNOWN_NAMES, Picture

PAGE_NAME = "deepspine.html"
ENTRIES_NAME = "deepspine"


def write_entry(folder: Path, entry: Entry, pictures: Mapping[str, Picture]) -> Path:
    """Write the entry of one scan in the place of an earlier one.

    Parameters
    ----------
    folder : Path
        Folder of the page; made when missing.
    entry : Entry
        Made with the same pictures.
    pictures : mapping of str to Picture
        From `draw_pictures`.

    Returns
    -------
    Path
        Folder of the pictures.

    Raises
    ------
    DeepspineError
        When a file cannot be written.
    """
    path = Path(folder) / ENTRIES_NAME / f"{entry.key}.json"
    place = path.with_suffix("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if pictures:
        place.mkdir(exist_ok=True)
    for picture in pictures.values():
        with atomic_path(place / picture.name) as temporary:
            temporary.write_bytes(picture.content)
    names = {picture.name for picture in pictures.values()}
    for old in KNOWN_NAMES - names:  # of an earlier run that drew more
        (place / old).unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(entry.to_json(), encoding="utf-8")
    return place


def has_pictures(path: Path) -> bool:
    """Tell whether an entry can be read, and its pictures are there."""
    entry = read_entry(path)
    there = ((path.with_suffix("") / picture["file"]).is_file() for picture in entry.pictures.values())
    return entry.outcome != DAMAGED and all(there)


def read_entries(folder: Path) -> list[Entry]:
    """Read all entries, sorted by their keys. One that cannot be read is in the list as damaged."""
    paths = sorted((Path(folder) / ENTRIES_NAME).glob("*.json"))
    return [read_entry(path) for path in paths if not path.name.startswith(".")]


def write_page(folder: Path, entries: Iterable[Entry] | None = None, about: About | None = None) -> Path:
    """Write the page of a folder.

    Parameters
    ----------
    folder : Path
        Folder of the page; made when missing.
    entries : iterable of Entry, optional
        What to show; by default what is in the folder.
    about : About, optional
        What stands on the page beside the scans.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DeepspineError
        When the page cannot be written.
    """
    folder = Path(folder)
    (folder / ENTRIES_NAME).mkdir(parents=True, exist_ok=True)
    page = folder / PAGE_NAME

    def write(shown: Iterable[Entry]) -> None:
        with atomic_path(page) as temporary:
            temporary.write_bytes(render_page(list(shown), about or About()))

    with locked(folder / ENTRIES_NAME / ".lock"):
        if entries is None:
            rebuild(folder / ENTRIES_NAME, "*.json", lambda paths: write(map(read_entry, paths)))
        else:
            write(entries)
    return page
