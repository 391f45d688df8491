"""A compressed image, inflated in a thread of its own while the libraries load that will look at it."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path
from threading import Thread

_GZIP = 31  # zlib's way of saying: a gzip header, and the largest window
_LARGEST_RATIO = 10  # a scan is noisy; a file that shrinks more is read only after its header was checked
_LARGEST_BYTES = 2**28


class ReadAhead:
    """The content of a file, which is being inflated from now on.

    Only scans as they usually are give a content. A file that is damaged, very large or otherwise unusual gives none:
    it is then read step by step, by the code that knows what to say of it.

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

    def take(self) -> bytes | None:
        """Wait for the content and hand it over, once, so that nobody else keeps the memory.

        Returns
        -------
        bytes or None
            None where the file is not a whole gzip file of usual size, and from the second call on.
        """
        self._thread.join()
        content, self._content = self._content, None
        return content

    def _inflate(self) -> None:
        with suppress(OSError, zlib.error, MemoryError):
            if not self.path.name.lower().endswith(".gz") or not self.path.is_file():
                return
            if self.path.stat().st_size > _LARGEST_BYTES:  # deflating makes nothing larger, but for a few bytes
                return
            compressed = self.path.read_bytes()
            n_bytes = int.from_bytes(compressed[-4:], "little")  # of the last member, by its own account
            if not 0 < n_bytes <= min(_LARGEST_RATIO * len(compressed), _LARGEST_BYTES):
                return
            # In one call, and no more than the file states. A thread that inflates piece by piece would wait after each
            # piece for the imports, which hold the interpreter.
            member = zlib.decompressobj(_GZIP)
            content = member.decompress(compressed, n_bytes)
            if member.eof and not member.unused_data and len(content) == n_bytes:
                self._content = content
