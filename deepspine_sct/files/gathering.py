"""An index that many writers rebuild from the files in a folder, with or without a lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

_ATTEMPTS = 50


def rebuild(folder: Path, pattern: str, write: Callable[[Sequence[Path]], None]) -> None:
    """Write an index until it holds every file that was there after it was written.

    Every writer adds its own file first and then calls this. Whoever writes last has seen the files of
    all the others, so that none is lost from the index, also where nothing can be locked.

    Parameters
    ----------
    folder : Path
        Where the files are.
    pattern : str
        Pattern of their names. Hidden files, such as the ``._`` files of macOS, are no entries.
    write : callable
        Writes the index of these files, sorted by name.
    """
    written: list[Path] | None = None
    for _ in range(_ATTEMPTS):
        found = sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))
        if found == written:
            return
        write(found)
        written = found
