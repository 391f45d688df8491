"""The files that a command is going to write: refused before any work where they would do harm."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from ..errors import DeepspineError
from .names import sidecar_of, twin_of
from .target import follow

LONGEST_NAME = 255
"""Bytes of a file name that every common file system takes."""


def check_files(files: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Refuse files that cannot be written, or would replace an input or each other.

    Parameters
    ----------
    files : iterable of Path
        Files to write. The nearest folder of each that exists must be writable.
    inputs : iterable of Path
        Files that are read.

    Raises
    ------
    DeepspineError
        See also `files.target.follow`.
    """
    files = list(files)
    for path in files:
        _check_place(path)
    refuse_overwriting(files, list(inputs))


def make_folders(files: Iterable[Path]) -> None:
    """Make the folders of files that `check_files` has let pass, where they are missing."""
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)


def check_folder(folder: Path) -> None:
    """Refuse a folder, which is made when missing, in which no file can be written.

    Raises
    ------
    DeepspineError
        When it, or what it should be made in, is a file or cannot be written.
    """
    there = _nearest(folder)
    if not there.is_dir():
        what = "is a file, not a folder" if there == folder else f"{there} is not a folder"
        raise DeepspineError(f"{folder}: {what}; give another folder")
    if not os.access(there, os.W_OK):
        which = "the folder" if there == folder else f"the folder {there}"
        raise DeepspineError(f"{folder}: {which} cannot be written; give another one")


def check_ending(path: Path, ending: str, what: str) -> None:
    """Refuse a name that does not say what the file is.

    Raises
    ------
    DeepspineError
        When the name ends otherwise, in any case.
    """
    if not path.name.lower().endswith(ending):
        raise DeepspineError(f"{path}: {what} is written as {ending}; give a name that ends in {ending}")


def refuse_overwriting(files: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse outputs that are one and the same file, or one of the inputs.

    Raises
    ------
    DeepspineError
        When they are, by path, symbolic link or hard link.
    """
    for output in files:
        for source in inputs:
            if same_file(output, source):
                raise DeepspineError(f"{output}: is an input and would be overwritten; rename the output")
    for first, second in combinations(files, 2):
        if same_file(first, second):
            raise DeepspineError(f"{first}: two outputs would be written to this file; rename one of them")


def refuse_twin(image: Path) -> None:
    """Refuse to write an image beside one of the same name but for its ending: both would have the same JSON file.

    Raises
    ------
    DeepspineError
        When the other one is there.
    """
    twin = twin_of(image)
    if os.path.lexists(twin):
        raise DeepspineError(
            f"{image}: would share its JSON file {sidecar_of(image).name} with {twin.name}, which is there; give "
            "another name or folder, or remove the other file"
        )


def same_file(first: Path, second: Path) -> bool:
    """Tell whether two names lead to one file: by path, symbolic link or hard link."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)  # unlike Path.resolve, ends in loops


def _nearest(folder: Path) -> Path:
    """Name the folder itself where it is there, else the nearest one above it that is."""
    return next(place for place in (folder, *folder.parents, Path()) if os.path.lexists(place))


def _check_place(path: Path) -> None:
    """Refuse a file that cannot be written."""
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise DeepspineError(f"{path}: the name is too long; give a shorter one")
    folder = path.parent
    # One that is missing will be made, below the nearest one that is there.
    folder = follow(path).parent if os.path.lexists(folder) else _nearest(folder)
    if not folder.is_dir():
        raise DeepspineError(f"{path}: {folder} is not a folder; give another path")
    if not os.access(folder, os.W_OK):
        raise DeepspineError(f"{path}: the folder {folder} cannot be written; give another one")
