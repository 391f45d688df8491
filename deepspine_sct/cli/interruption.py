"""Ctrl-C while libraries load, which Python cannot bear at every moment."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Hold an interruption back to the end of the ``with`` block, in which libraries are imported; a second one acts.

    An interrupted import may keep a lock for which the imports of all other threads then wait, numpy turns the
    interruption into an error of its installation, and in a callback of the import system it is lost.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or current_thread() is not main_thread():
        yield  # ignored, as behind nohup, or handled by the program around this one, or never sent to this thread
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(number, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
