"""One line for whatever went wrong: what it concerns, what is wrong, and the remedy."""

import errno
import os
from collections.abc import Iterable
from difflib import get_close_matches

from deepspine_sct.errors import missing_package

_NO_PERMISSION = "may not be read or written here; check the permissions, or give another output folder"
_REMEDIES = {
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EROFS: "lies on a disk that is read-only; give an output folder on another one",
    errno.ENOSPC: "cannot be written because the disk is full; free some space",
    errno.EDQUOT: "cannot be written because your quota of disk space is used up; free some space",
    errno.ENOENT: "does not exist, or no longer exists; check the path",
    errno.ENOTDIR: "cannot be reached because a part of the path is a file; check the path",
    errno.EISDIR: "is a folder; give a file",
    errno.ELOOP: "is a link that leads to itself; check the path",
    errno.ENAMETOOLONG: "has a longer name than the disk allows; give a shorter one",
    errno.EMFILE: "cannot be opened because too many files are open; raise the limit (ulimit -n)",
    errno.EIO: "cannot be read or written because the disk reports an error; check the disk",
    errno.ESTALE: "is no longer on the network disk; try again",
}


def one_line(error: Exception) -> str:
    """Say what is wrong in one line, whatever line breaks a file name may hold."""
    if isinstance(error, MemoryError):
        message = f"not enough memory {error}".rstrip()
    elif isinstance(error, ModuleNotFoundError):
        message = missing_package(error.name or str(error))
    elif isinstance(error, OSError):
        message = _of_system(error)
    else:
        message = str(error)
    return " ".join(message.split())


def _of_system(error: OSError) -> str:
    """Say what the operating system means by an error number."""
    if error.filename is None and not folder_exists():
        return "the folder that you are in was deleted or moved; change to another one (cd) and try again"
    remedy = _REMEDIES.get(error.errno)
    if error.filename is None or remedy is None:
        return str(error)
    return f"{os.fsdecode(error.filename)}: {remedy}"


def folder_exists() -> bool:
    """Tell whether the current folder is still there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Name the known word that is nearest to a mistyped one, as the end of a sentence; "" without one."""
    spelt = {word.lower().lstrip("-"): word for word in known}
    near = get_close_matches(text.lower().lstrip("-"), spelt, n=1)
    return f"; did you mean {spelt[near[0]]}?" if near else ""
