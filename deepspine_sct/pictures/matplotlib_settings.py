"""matplotlib as this package uses it: with its own settings, whatever the user has chosen for their own figures.

A notebook's MPLBACKEND, a matplotlibrc that asks for LaTeX and a home folder that cannot be written must
neither fail a run nor change a picture.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from deepspine_sct.errors import DeepspineError
from deepspine_sct.pictures.figure import require_matplotlib

_PROCESS_WIDE = ("backend", "backend_fallback", "date.epoch", "interactive", "toolbar")
"""Settings that are not of a picture: changing them would reach the figures of others."""


@contextmanager
def own_settings() -> Iterator[None]:
    """Draw with matplotlib's defaults; afterwards the user's settings are as they were.

    Use it as a decorator of what draws and renders a figure: both look at the settings.

    Raises
    ------
    DeepspineError
        When matplotlib is not installed or cannot be loaded.
    """
    require_matplotlib()
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)  # of caches and configurations that are not ours
    try:
        matplotlib = _load()
        defaults = dict(dict.items(matplotlib.rcParamsDefault))  # without a warning for each old name
        for name in _PROCESS_WIDE:
            defaults.pop(name, None)
        with warnings.catch_warnings(), matplotlib.rc_context():
            warnings.simplefilter("ignore")
            matplotlib.rcParams.update(defaults)
            yield
    finally:
        log.setLevel(level)


def drawable(text: str) -> str:
    """Make text of a file's name, in a locale that cannot read it as well; bytes that are none are escaped."""
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # no name of this system's
        return text.encode("utf-8", "backslashreplace").decode()


def _load():
    """Import matplotlib, which would refuse a backend that it does not know."""
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib

        return matplotlib
    except Exception as error:  # what its configuration files make it raise is of any kind
        raise DeepspineError(f"matplotlib cannot be loaded ({error}); check the file matplotlibrc") from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
