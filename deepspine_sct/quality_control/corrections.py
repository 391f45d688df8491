"""The file of marks and corrections that the page saves."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..anatomy import check_values
from ..errors import DeepspineError
from ..files.tables import read_json
from ..image.grid import Grid

FORMAT, VERSION = "deepspine_sct corrections", 1
_Kind = TypeVar("_Kind")

MARKS = ("", "pass", "fail", "artifact")


@dataclass(frozen=True)
class Correction:
    """What a person decided about one scan.

    Attributes
    ----------
    image : the file, as the page knew it
    mark, comment : what the person said; mark is one of `MARKS`
    corrected : whether the discs differ from the automatic ones
    points : world RAS+ position (3,) [mm] of each disc value; empty where the scan was not kept
    by_hand : disc values that a person placed or named
    grid : Grid of the scan in (L, I, P), as the page knew it; None where it showed no picture
    made : what made the automatic labels: date, command, model, version
    rater, saved : who saved the file, and when
    """

    image: Path
    mark: str
    comment: str
    corrected: bool
    points: dict[int, np.ndarray]
    by_hand: tuple[int, ...]
    grid: Grid | None
    made: dict[str, str]
    rater: str
    saved: str


def read_corrections(path: Path) -> list[Correction]:
    """Read the file that the page saves.

    Raises
    ------
    DeepspineError
        When it cannot be read, is none, or names a disc that does not exist or lies nowhere.
    """
    if not os.path.lexists(path):
        raise DeepspineError(f"{path}: no such file; the page saves corrections in the browser's folder of downloads")
    try:
        content = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise DeepspineError(f"{path}: cannot be read as JSON ({error}); save the corrections again") from error
    try:
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise ValueError("of another format or version")
        who = {"rater": str(content["rater"]), "saved": str(content["saved"])}
        return [_correction(scan, who) for scan in _of_type(list, content["scans"], "scans")]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, DeepspineError) as error:
        detail = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise DeepspineError(
            f"{path}: holds no corrections of this program's page ({detail}); save them on the page again"
        ) from error


def _correction(scan: Mapping, who: Mapping[str, str]) -> Correction:
    image = _image(_of_type(str, scan["image"], "image"))
    corrected = _of_type(bool, scan["corrected"], "corrected")
    # No list: nothing was kept. An empty one of a corrected scan: all discs are gone, and their file goes, too.
    discs = _of_type(list, scan["discs"], "discs") if corrected or scan["discs"] is not None else []
    values = [operator.index(disc["value"]) for disc in discs]
    if len(check_values(values)) != len(values):
        raise ValueError(f"a disc is given twice for {scan['image']}")
    if scan["mark"] not in MARKS:
        raise ValueError(f"unknown mark for {scan['image']}")
    return Correction(
        image=image,
        mark=scan["mark"],
        comment=str(scan["comment"]),
        corrected=corrected,
        points={value: _point(disc["world_mm"]) for value, disc in zip(values, discs, strict=True)},
        by_hand=tuple(value for value, disc in zip(values, discs, strict=True) if disc["by"] == "hand"),
        grid=_grid(scan["grid"]),
        made={str(name): str(text) for name, text in scan["made"].items()},
        **who,
    )


def _of_type(kind: type[_Kind], value: object, name: str) -> _Kind:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {value!r:.40}, not a {kind.__name__}")
    return value


def _image(name: str) -> Path:
    """Path of an image without "..", with which a name could lead out of the folder of the label files."""
    if not name or "\0" in name:
        raise ValueError("a scan has no name")
    os.fsencode(name)  # refuses what is no name of a file
    return Path(os.path.normpath(name))


def _point(world_mm: Sequence[float]) -> np.ndarray:
    point = np.array([float(mm) for mm in _of_type(list, world_mm, "world_mm")])
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError("a disc has no place in the world")
    return point


def _grid(grid: Mapping | None) -> Grid | None:
    if grid is None:
        return None
    affine = np.vstack([np.array(grid["affine"], dtype=float).reshape(3, 4), (0, 0, 0, 1)])
    n_slices, n_rows, n_columns = (int(n) for n in grid["shape"])
    return Grid((n_slices, n_rows, n_columns), affine)
