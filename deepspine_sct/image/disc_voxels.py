"""The voxel that stands for a disc: one for each, wherever between the voxels its tip lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..anatomy import check_values, disc_name
from ..errors import DeepspineError, NoDiscFound
from .grid import Grid, round_index


def place_discs(path: Path | str, grid: Grid, points: Mapping[int, np.ndarray]) -> dict[int, tuple[int, int, int]]:
    """Choose the voxel of each disc, by the rule of `nifti.write_discs`; no two discs have the same.

    Parameters
    ----------
    path : path
        Label file, for the messages.
    grid : Grid
        Grid of that file.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value.

    Returns
    -------
    dict of int to tuple of int
        Voxel of each disc that lies on the grid, superior to inferior.

    Raises
    ------
    NoDiscFound
        When none does.
    DeepspineError
        When a value is no disc, or the voxels are too coarse to keep two discs apart.
    """
    last = np.array(grid.shape) - 1
    down = np.array([{"I": 1, "S": -1}.get(code, 0) for code in grid.axcodes])
    voxels: dict[int, tuple[int, int, int]] = {}
    for value in check_values(points):
        ijk = grid.to_index(points[value])
        if not ((ijk >= -1) & (ijk <= last + 1)).all():
            continue
        nearest = np.clip(round_index(ijk), 0, last)
        free = [
            tuple(voxel.tolist())
            for voxel in (nearest, nearest + down)
            if tuple(voxel.tolist()) not in voxels.values() and grid.contains(voxel)
        ]
        if not free:
            raise DeepspineError(
                f"{path}: not written, as the voxels are too coarse to keep disc {value}"
                f" ({disc_name(value)}) apart from the one above; resample the image"
            )
        voxels[value] = free[0]
    if not voxels:
        raise NoDiscFound(f"{path}: not written, as no disc lies within the image")
    return voxels
