"""An image file before it is an image: is it there, is it whole, can it be opened."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path

from ..errors import DeepspineError
from ..files.names import SUFFIXES, stem_of
from .content import SAMPLE_BYTES, fault_of_content

_DEFLATE_RATIO = 1032  # bytes that one deflated byte can stand for, at most (zlib's own figure)
_NEAR = 0.75  # share of letters that a mistyped name has in common with the one that was meant
_LARGE_BYTES = 2**28
_LARGE_RATIO = 100  # noise keeps a scan below 10, and a mask of this size below 100


def check_suffix(path: Path) -> None:
    """Refuse a name that is not one of `SUFFIXES`, in any case.

    Parameters
    ----------
    path : pathlib.Path
        File to read or to write.

    Raises
    ------
    DeepspineError
        When the name ends otherwise.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise DeepspineError(f"{path}: unknown file type; use {' or '.join(SUFFIXES)}")


def is_compressed(path: Path) -> bool:
    """Tell a gzip file by its name."""
    return path.name.lower().endswith(".gz")


def largest_content(path: Path) -> int:
    """Bytes that a file can hold once decompressed, at most.

    Parameters
    ----------
    path : pathlib.Path
        Existing file.

    Returns
    -------
    int
        The file's size, times deflate's best ratio when it is compressed. What is large shrinks
        less than that: a small file that claims so is made to exhaust the memory.
    """
    size = path.stat().st_size
    if not is_compressed(path):
        return size
    return max(size * _LARGE_RATIO, min(size * _DEFLATE_RATIO, _LARGE_BYTES))


@contextmanager
def open_source(path: Path) -> Iterator[GzipFile | BufferedReader]:
    """Open an image file for reading, decompressed.

    Parameters
    ----------
    path : pathlib.Path
        File to read.

    Yields
    ------
    binary stream
        What goes wrong while it is read inside the ``with`` block is refused as below.

    Raises
    ------
    DeepspineError
        When the file is missing, a folder, of another type, empty, a git-annex pointer, damaged,
        truncated or not readable.
    """
    try:
        _check_presence(path)
        with gzip.open(path, "rb") if is_compressed(path) else open(path, "rb") as stream:
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fault = f"damaged or truncated gzip ({error}); copy it again"
        raise DeepspineError(f"{path}: {fault}") from error
    except OSError as error:
        fault = f"cannot be read ({error.strerror or error}); check the file"
        raise DeepspineError(f"{path}: {fault}") from error


def _check_presence(path: Path) -> None:
    """Refuse a path that leads to no content, saying how to get it."""
    if path.is_dir():
        raise DeepspineError(f"{path}: is a folder; give an image file")
    if not path.exists():
        annexed = path.is_symlink() and "annex" in Path(os.readlink(path)).parts
        remedy = f"fetch it with: git annex get {path}" if annexed else _nearest(path)
        raise DeepspineError(f"{path}: no such file; {remedy}")
    if not path.is_file():  # a pipe would keep the command waiting
        raise DeepspineError(f"{path}: is a pipe or a device; give an image file")
    check_suffix(path)
    with open(path, "rb") as stream:
        start = stream.read(SAMPLE_BYTES)
    if not start:
        raise DeepspineError(f"{path}: is empty; copy it again")
    if fault := fault_of_content(path, start):
        raise DeepspineError(f"{path}: {fault}")


def _nearest(path: Path) -> str:
    """Name the file beside a missing one that may have been meant, or say what to check."""
    with suppress(OSError):
        stems = {stem_of(name).lower(): name for name in os.listdir(path.parent) if name.lower().endswith(SUFFIXES)}
        near = get_close_matches(stem_of(path).lower(), stems, n=1, cutoff=_NEAR)
        if near and path.with_name(stems[near[0]]).is_file():
            return f"did you mean {path.with_name(stems[near[0]])}?"
    return "check the path"
