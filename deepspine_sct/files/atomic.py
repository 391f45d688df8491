"""Files that appear complete or not at all, and the end of what killed writers left behind."""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from ..errors import DeepspineError
from .target import follow

PREFIX = ".deepspine-"
"""A temporary file is called this, the computer, a random token and the end of the target's name."""

FOREIGN_AGE_S = 24 * 3600.0
"""Another computer's temporary file is left alone for this long after it was last written: on a
shared disk a lock that is held there need not be seen here."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Write a file under a temporary name and give it its own name only when it is complete.

    The temporary file is locked while it is written. The system lets go of a lock when its process
    ends, however that happens, so a temporary file without one has no writer any more: such files
    in the same folder are removed first. Two writers of one target do not disturb each other; what
    the last one wrote stays.

    Parameters
    ----------
    path : path
        File to create or replace; its folder must exist. Where it is a link, the file that it leads
        to is replaced, and the link stays.

    Yields
    ------
    pathlib.Path
        Empty file to write to, in the folder of the target and of the same suffixes. Whatever happens in
        the ``with`` block, no file of this name is left.

    Raises
    ------
    DeepspineError
        When the folder is missing or cannot be written, the target is no regular file (see
        `target.follow`), or the disk is full. An existing file of that name is then unchanged.
    """
    path = Path(path)
    target = follow(path)
    remove_abandoned(target.parent)
    try:
        temporary, descriptor = _create_locked(target)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        yield temporary
        os.fsync(descriptor)  # a quota or a broken disk may not speak up before this
        os.replace(temporary, target)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):
            raise  # about another file that the block touched
        raise _refusal(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def _refusal(path: Path, error: OSError) -> DeepspineError:
    reason = error.strerror or str(error)
    return DeepspineError(f"{path}: cannot be written ({reason}); check the folder's permissions and free space")


def _computer() -> str:
    """Eight digits that tell computers apart."""
    return sha256(platform.node().encode()).hexdigest()[:8]


def _create_locked(path: Path) -> tuple[Path, int]:
    """Create a temporary file for a target; return its name and the descriptor that locks it."""
    while True:
        token = secrets.token_hex(4)
        # Not all of the target's name, which may be as long as a name can be.
        temporary = path.with_name(f"{PREFIX}{_computer()}-{token}-{path.name[-16:]}")
        # Not tempfile: its files are private to the user, and the mode would survive the renaming.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # a disk without locks: nobody will take the file for abandoned
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            return temporary, descriptor
        os.close(descriptor)  # another run came before the lock and removed it


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in a folder that nobody writes any more, as `atomic_path` does where it writes."""
    with suppress(OSError):  # a folder may be writable and not readable
        for name in os.listdir(folder):
            if name.startswith(PREFIX):
                with suppress(OSError):  # being written, removed by another run, or not ours
                    _remove_if_abandoned(folder / name)


def _remove_if_abandoned(temporary: Path) -> None:
    """Remove a temporary file whose lock is free; OSError says that it is not."""
    # A link or a pipe that somebody put there must neither lead elsewhere nor hold us up.
    descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        state = os.fstat(descriptor)
        here = temporary.name.startswith(f"{PREFIX}{_computer()}-")
        if stat.S_ISREG(state.st_mode) and (here or time.time() - state.st_mtime > FOREIGN_AGE_S):
            temporary.unlink()
    finally:
        os.close(descriptor)
