"""One process at a time: a lock that the system lets go of when its holder ends, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import DeepspineError

TIMEOUT_S = 60.0
"""As long as SCT waits for its own report."""

_PAUSE_S = 0.05


@contextmanager
def locked(path: str | os.PathLike[str], timeout_s: float = TIMEOUT_S) -> Iterator[None]:
    """Hold a lock file.

    Parameters
    ----------
    path : path
        File to lock; made when missing, and left there.
    timeout_s : float
        How long to wait for another holder.

    Raises
    ------
    DeepspineError
        When another process holds the lock all that time.
    """
    import fcntl  # only where there is something to lock: it does not exist on Windows

    deadline_s = time.monotonic() + timeout_s
    with open(path, "a") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline_s:
                    raise DeepspineError(
                        f"{path}: another process has locked the report for {timeout_s:.0f} s; try"
                        " again when it has ended"
                    ) from error
            time.sleep(_PAUSE_S)
        yield
