"""Displacement fields: for every voxel of one image, where its content lies in another image."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from ..errors import DeepspineError
from .grid import Grid
from .nifti import read_header, refusing
from .source import largest_content
from .voxels import stored_blocks

_UNDEFINED_MM = 9e4
"""No displacement is this long: SCT writes 100000, of either sign, where it defines none."""

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0], dtype=np.float32)  # ITK's world to ours


@dataclass(frozen=True, eq=False)
class Field:
    """Displacements on a grid.

    Parameters
    ----------
    vectors_mm : (I, J, K, 3) float32 array
        World RAS+ displacement at each voxel centre; NaN where there is none.
    grid : Grid of shape (I, J, K)
        Grid of the image that the field starts from.
    """

    vectors_mm: np.ndarray
    grid: Grid

    def move(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points from the field's image to the other one.

        Parameters
        ----------
        points_xyz : (n, 3) array
            World RAS+ mm.

        Returns
        -------
        (n, 3) array
            World RAS+ mm, the displacement interpolated linearly; NaN where less than half of what
            it is interpolated from is defined.
        """
        points_xyz = np.asarray(points_xyz, dtype=np.float64)
        ijk = self.grid.to_index(points_xyz)
        low = np.floor(ijk).astype(int)
        total_mm = np.zeros_like(ijk)
        weight = np.zeros(len(ijk))
        for corner in product((0, 1), repeat=3):
            at = low + corner
            share = np.abs(1 - np.array(corner) - (ijk - low)).prod(axis=1)
            inside = ((at >= 0) & (at < self.grid.shape)).all(axis=1)
            vectors_mm = self.vectors_mm[tuple(np.where(inside[:, None], at, 0).T)]
            share *= inside & np.isfinite(vectors_mm).all(axis=1)
            total_mm += share[:, None] * np.nan_to_num(vectors_mm)
            weight += share
        with np.errstate(divide="ignore", invalid="ignore"):
            moved_xyz = points_xyz + total_mm / weight[:, None]
        return np.where(weight[:, None] >= 0.5, moved_xyz, np.nan)


def read_field(path: str | os.PathLike[str]) -> Field:
    """Read a displacement field as ITK and SCT write it.

    Parameters
    ----------
    path : path
        NIfTI file of shape (I, J, K, 1, 3) that holds millimetres in LPS+.

    Returns
    -------
    Field

    Raises
    ------
    DeepspineError
        When the file cannot be read or is no such field.
    """
    path = Path(path)
    header = read_header(path)
    with refusing(path):
        shape = tuple(int(n) for n in header.get_data_shape())
        dtype = header.get_data_dtype()
        if len(shape) != 5 or shape[3:] != (1, 3) or min(shape) < 1 or dtype.kind != "f":
            raise DeepspineError(f"{path}: is not a displacement field; straighten the image again")
        grid = Grid(shape[:3], header.get_best_affine())
    if header.get_data_offset() + prod(shape) * dtype.itemsize > largest_content(path):
        raise DeepspineError(f"{path}: is too short for its shape {shape}; straighten the image again")
    values_mm = np.empty(prod(shape), dtype=np.float32)
    for start, stored in stored_blocks(path, header):
        values_mm[start : start + stored.size] = stored
    values_mm[~(np.abs(values_mm) < _UNDEFINED_MM)] = np.nan
    vectors_mm = values_mm.reshape((*shape[:3], 3), order="F")
    return Field(vectors_mm * _LPS_TO_RAS, grid)
