"""An index that many writers rebuild from the files in a folder, with or without a lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

_ATTEMPTS = 50


def rebuild(folder: Path, pattern: str, write: Callable[[Sequence[Path]], None]) -> None:
    """Write an index until it holds every file that was there after it was written, as it was then.

    Every writer adds or replaces its own file first and then calls this. Whoever writes last has seen the
    files of all the others, so that none is lost from the index, or in it as it was before, also where
    nothing can be locked.

    Parameters
    ----------
    folder : Path
        Where the files are.
    pattern : str
        Pattern of their names. Hidden files, such as the ``._`` files of macOS, are no entries.
    write : callable
        Writes the index of these files, sorted by name.
    """
    written: dict[Path, tuple[int, int]] | None = None
    for _ in range(_ATTEMPTS):
        found = _look(folder, pattern)
        if found == written:
            return
        write(sorted(found))
        written = found


def _look(folder: Path, pattern: str) -> dict[Path, tuple[int, int]]:
    """Find the files that are there, each with its number and date [ns], which change when it is replaced."""
    found = {}
    for path in folder.glob(pattern):
        if not path.name.startswith("."):
            with suppress(FileNotFoundError):  # it is being replaced
                status = path.stat()
                found[path] = status.st_ino, status.st_mtime_ns
    return found
