"""A short name for a folder of sources by what is in it, so that a training cannot be resumed on another."""

import hashlib
from pathlib import Path

FOLDERS = ("pam50", "head", "slices", "lumbar")
"""What training reads below the folder."""

_DIGITS = 8


def digest(data: Path) -> str:
    """Return hexadecimal digits that stand for the relative paths and the sizes of the files that training reads.

    The contents would take minutes to read. The same data in another place or on another machine have the same digest.

    Parameters
    ----------
    data : folder with some of `FOLDERS`
    """
    found = [path for name in FOLDERS for path in (data / name).rglob("*")]
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]  # a file browser leaves those
    sizes = sorted((path.relative_to(data).as_posix(), path.stat().st_size) for path in files)
    return hashlib.sha256(repr(sizes).encode()).hexdigest()[:_DIGITS]
