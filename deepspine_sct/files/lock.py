"""One process at a time, as far as the disk allows: locks that the system lets go of when their holder ends.

A lock is a courtesy here. What it protects must also come out right without it: there are disks that know
no locks, folders that several users share, and holders that hang. So whoever cannot have one goes on, and
a warning says so.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

TIMEOUT_S = 60.0
"""As long as SCT waits for its own report."""

_PAUSE_S = 0.05
_LOG = logging.getLogger(__name__)


@contextmanager
def locked(path: str | os.PathLike[str], timeout_s: float = TIMEOUT_S, optional: bool = False) -> Iterator[bool]:
    """Hold a lock file, where it can be had.

    Parameters
    ----------
    path : path
        File to lock; made when missing, and left there. Its folder must exist.
    timeout_s : float
        How long to wait for another holder.
    optional : bool
        Say nothing where it cannot be had.

    Yields
    ------
    bool
        Whether it is held; where not, a warning was logged.
    """
    descriptor = None
    try:
        descriptor = _open(path)
        fault = _wait(descriptor, timeout_s)
    except OSError as error:  # belongs to another user, or the disk knows no locks
        fault = f"cannot be locked ({error.strerror or error})"
    if fault and not optional:
        _LOG.warning("%s: %s; continued without the lock", os.fspath(path), fault)
    try:
        yield not fault
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(path: str | os.PathLike[str]) -> int:
    """Open a lock file with as few rights as there are; a link or a pipe that somebody put there is none."""
    # A file of another user's in a shared folder may not be opened with O_CREAT, although it may be locked.
    kinds = (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY)
    for number, flags in enumerate(kinds, start=1):
        try:
            descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError:
            if number == len(kinds):
                raise
        else:
            break
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
    return descriptor


def _wait(descriptor: int, timeout_s: float) -> str:
    """Lock an open file, or say why not."""
    import fcntl  # only where there is something to lock: it does not exist on Windows

    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return ""
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                return f"another process has held it for {timeout_s:.0f} s"
        time.sleep(_PAUSE_S)
