"""Where a file that is to be written really goes: links are followed, and nothing but plain files replaced."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import DeepspineError

_STREAMS = (0, 1, 2)  # descriptors of what this process reads, prints and complains to


def follow(path: Path) -> Path:
    """Name the file that writing to a path has to replace.

    Parameters
    ----------
    path : Path
        File to create or replace, or a link to it.

    Returns
    -------
    Path
        The path itself, or what its links lead to: a link stays, and its target gets the content.

    Raises
    ------
    DeepspineError
        When it is a folder, a device, a pipe or one of this process's own streams, is kept by git-annex,
        is write-protected, leads to itself, or lies in a folder that is not there or is none.
    """
    if os.path.islink(path):
        _refuse_annex(path)
        target = Path(os.path.realpath(path))
        if os.path.islink(target):
            raise DeepspineError(f"{path}: cannot be written because it is a link that leads to itself; remove it")
    else:
        target = path
    led = "" if target == path else f" ({target})"
    if os.path.exists(target.parent) and not target.parent.is_dir():
        raise DeepspineError(f"{path}: cannot be written because {target.parent} is not a folder; give another path")
    if not target.parent.is_dir():
        fault = "the link leads into a folder that does not exist" if led else "its folder does not exist"
        raise DeepspineError(f"{path}: cannot be written because {fault}{led}; create the folder first")
    with suppress(FileNotFoundError, NotADirectoryError):
        _check_replaceable(path, os.stat(path))
    return target


def remove(path: Path) -> None:
    """Remove a file, if it is there. A file that may not be replaced may not be removed either.

    Raises
    ------
    DeepspineError
        As `follow`.
    OSError
        When it cannot be removed.
    """
    if os.path.lexists(path):
        follow(path)
        path.unlink(missing_ok=True)


def _refuse_annex(path: Path) -> None:
    """Refuse a file whose content git-annex keeps: what its link leads to must never change."""
    hops = 0
    link = path
    while os.path.islink(link) and hops < 40:
        where = Path(os.readlink(link))
        if "annex" in where.parts and ".git" in where.parts:
            raise DeepspineError(
                f"{path}: cannot be written because git-annex keeps it; run `git annex unlock {path}` "
                "(or `datalad unlock`)"
            )
        link = link.parent / where
        hops += 1


def _check_replaceable(path: Path, state: os.stat_result) -> None:
    """Refuse to put a file in the place of anything but a plain file that may be written."""
    if stat.S_ISDIR(state.st_mode):
        raise DeepspineError(f"{path}: cannot be written because it is a folder; give the name of a file")
    if not stat.S_ISREG(state.st_mode):  # to replace /dev/null would harm all programs
        raise DeepspineError(f"{path}: cannot be written because it is a device or a pipe; give the name of a file")
    for descriptor in _STREAMS:
        with suppress(OSError):
            stream = os.fstat(descriptor)
            if (stream.st_dev, stream.st_ino) == (state.st_dev, state.st_ino):
                raise DeepspineError(f"{path}: cannot be written because this command prints to it; give another file")
    if not state.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise DeepspineError(
            f"{path}: cannot be written because it is write-protected; allow it (chmod u+w) or move it away"
        )
