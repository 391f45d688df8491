"""What a command prints: nothing that happens to it, a closed terminal or a full log, may change the result."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO


def showable(text: str, stream: TextIO) -> str:
    """Escape the characters of a text that a stream cannot show."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class _Forgiving:
    """A text stream whose troubles are its own: what cannot be shown is escaped, what cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str):
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what the stream can show of a text."""
        try:
            self._stream.write(showable(text, self._stream))
        except OSError:
            self._give_up()
        return len(text)

    def flush(self) -> None:
        """Pass on what was written so far."""
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """Lead the stream into nothing, so that Python's own last flush does not fail either."""
        with suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)


@contextmanager
def forgiving_streams() -> Iterator[None]:
    """Have stdout and stderr that can always be written, in the ``with`` block.

    A descriptor that the caller has closed, as cron may, is opened into nothing first: otherwise the next
    file to be opened would get its number, and with it everything that is printed.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    kept = sys.stdout, sys.stderr
    nothing = open(os.devnull, "w") if None in kept else None  # noqa: SIM115 - closed below
    sys.stdout, sys.stderr = (_Forgiving(stream or nothing) for stream in kept)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = kept
        if nothing:
            nothing.close()


@contextmanager
def logged_warnings() -> Iterator[None]:
    """Show on stderr what the package logs as a warning, in the ``with`` block."""
    log = logging.getLogger("deepspine_sct")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("Warning: %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def end_process(status: int) -> NoReturn:
    """End this process with a status, at once, when everything that was printed is passed on.

    Python itself would first take the network and the libraries to pieces, which takes 50 ms of the half second of a
    scan. All files must be closed, and all threads and processes that write any must have ended.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, full, or none at all
            stream.flush()
    os._exit(status)
