"""A compressed image, inflated in a thread of its own while the libraries load that will look at it."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path
from threading import Thread

_GZIP = 31  # zlib's way of saying: a gzip header, and the largest window
_LARGEST_RATIO = 10  # a scan is noisy; what shrinks more is read when its header has been judged
_LARGEST_BYTES = 2**28


class ReadAhead:
    """The content of a file, which is being inflated from now on.

    It is for scans as they usually are. Whatever is wrong with a file, or is unusual about it, is left to those who
    read it step by step, and know what to say.

    Parameters
    ----------
    path : Path
        Any path, also one that leads nowhere.
    """

    def __init__(self, path: Path):
        self.path = path
        self._content: bytes | None = None
        self._thread = Thread(target=self._inflate, daemon=True)
        self._thread.start()

    def content(self) -> bytes | None:
        """Wait for the content, or for None where the file is not a whole gzip file of usual size."""
        self._thread.join()
        return self._content

    def _inflate(self) -> None:
        with suppress(OSError, zlib.error, MemoryError):
            if not self.path.name.lower().endswith(".gz") or not self.path.is_file():
                return
            compressed = self.path.read_bytes()
            n_bytes = int.from_bytes(compressed[-4:], "little")
            if n_bytes > min(_LARGEST_RATIO * len(compressed), _LARGEST_BYTES):
                return
            # In one call, into memory of the size that the file itself states: a thread that asked for more of it piece
            # by piece would wait at each piece for the libraries that are being imported.
            content = zlib.decompress(compressed, _GZIP, max(n_bytes, 1))
            if len(content) == n_bytes:  # otherwise more members follow, or something else
                self._content = content
