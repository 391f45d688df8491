"""Sagittal slabs: what the network looks at.

A stack of slabs is itself a volume (N, H, W) with its own grid, so two and three dimensions share
one geometry. Distances are measured along the volume's own axes, which makes an oblique scan no
special case.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from .grid import CANONICAL, Grid, round_index
from .volume import Volume

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_ROUNDING = 1e-4  # pixels; keeps 320 * 0.8 mm at 2 mm from becoming 129: a zoom is a float32
_ROWS_AT_A_TIME = 8


@dataclass(frozen=True)
class SlabSpec:
    """How slabs are cut; the defaults hold for training, for prepared sets and for labelling alike.

    Attributes
    ----------
    spacing_mm : float
        Size of a pixel.
    step_mm : float
        Distance from slab to slab.
    thickness_mm : float
        Left-right width that a slab is the average of.
    """

    spacing_mm: float = 2.0
    step_mm: float = 4.0
    thickness_mm: float = 5.0


def extract_slabs(
    volume: Volume,
    step_mm: float,
    thickness_mm: float,
    spacing_mm: float = 2.0,
) -> Volume:
    """Average a volume into equidistant sagittal slabs with square pixels.

    The slabs are centred on the volume, odd in number, and their centres lie inside it; a volume
    that is one slice or thinner than a step gives one slab. Outside of the volume there is nothing:
    the weights of the voxels that exist are scaled to sum to one.

    Parameters
    ----------
    volume : Volume
        Image in the orientation (L, I, P).
    step_mm : float
        Distance between the centres of neighbouring slabs, left to right.
    thickness_mm : float
        Width over which a slab is the average. Larger than `step_mm`: the slabs overlap.
    spacing_mm : float
        Size of the square pixels.

    Returns
    -------
    Volume
        (N, H, W) float32: left to right in slabs, superior to inferior, anterior to posterior. H
        and W cover the volume. Its grid has the volume's directions and exactly the volume's
        centre.

    Raises
    ------
    ValueError
        When the volume is not in (L, I, P) or a length is not positive.
    """
    stack = SlabStack(volume, step_mm, thickness_mm, spacing_mm)
    return stack.extract(range(stack.grid.shape[0]))


class SlabStack:
    """The slabs of `extract_slabs`, none of them computed yet.

    Parameters
    ----------
    volume, step_mm, thickness_mm, spacing_mm
        As in `extract_slabs`.
    anchored : bool
        Let the pixels lie at whole multiples of `spacing_mm` from a voxel near the origin of the
        world, not around the volume's centre: they then stay where they are, whatever is cropped
        off the volume or added around it. The slabs are centred as ever.

    Attributes
    ----------
    grid : Grid of shape (N, H, W)
        Where the slabs are.
    """

    def __init__(
        self,
        volume: Volume,
        step_mm: float,
        thickness_mm: float,
        spacing_mm: float = 2.0,
        anchored: bool = False,
    ):
        if volume.grid.axcodes != CANONICAL:
            raise ValueError(f"expected a volume in {CANONICAL}, not {volume.grid.axcodes}")
        if not min(step_mm, thickness_mm, spacing_mm) > 0:
            raise ValueError("step, thickness and spacing must be positive")
        zooms_mm = volume.grid.zooms_mm
        extent_mm = volume.grid.shape * zooms_mm
        shape = (
            _count_slabs(volume.grid, step_mm),
            ceil(extent_mm[1] / spacing_mm - _ROUNDING),
            ceil(extent_mm[2] / spacing_mm - _ROUNDING),
        )
        self._data = volume.data
        ratios = np.array([step_mm, spacing_mm, spacing_mm]) / zooms_mm
        across, down, back = map(_positions, volume.grid.shape, shape, ratios)
        if anchored:
            near_ijk = np.floor(volume.grid.to_index(np.zeros(3)) + 0.5 + _ROUNDING)
            down, back = map(_anchored, volume.grid.shape[1:], near_ijk[1:], ratios[1:])
        affine = volume.grid.affine @ np.diag([*ratios, 1])
        affine[:3, 3] = volume.grid.to_world((across[0], down[0], back[0]))
        self.grid = Grid((len(across), len(down), len(back)), affine)
        n_slices, n_rows, n_columns = volume.grid.shape
        self._boxes = _box(across, n_slices, thickness_mm / zooms_mm[0])
        self._rows = _triangle(down, n_rows, ratios[1])
        self._columns = _triangle(back, n_columns, ratios[2])

    def extract(self, indices: range) -> Volume:
        """Compute some slabs, from the slices that they need and no others.

        Parameters
        ----------
        indices : range
            Slabs of the stack, one or more, from left to right.

        Returns
        -------
        Volume
            (n, H, W) float32.
        """
        boxes = self._boxes[indices]
        needed = np.flatnonzero(boxes.any(axis=0))
        boxes = boxes[:, needed]
        low = np.zeros((len(boxes), len(self._rows), self._data.shape[2]), dtype=np.float32)
        # A few rows at a time, all slabs at once: the volume is walked through once in whatever
        # order its axes lie in memory, and only this part of it is ever held as float32.
        for first in range(0, self._data.shape[1], _ROWS_AT_A_TIME):
            rows = slice(first, first + _ROWS_AT_A_TIME)
            block = self._data[needed, rows].astype(np.float32, copy=False)
            reached = np.flatnonzero(self._rows[:, rows].any(axis=1))
            lines = slice(reached[0], reached[-1] + 1)
            low[:, lines] += self._rows[lines, rows] @ np.tensordot(boxes, block, 1)
        affine = self.grid.affine.copy()
        affine[:3, 3] = self.grid.to_world((indices[0], 0, 0))
        affine[:3, 0] *= indices.step
        data = low @ self._columns.T
        return Volume(data, Grid(data.shape, affine))


def slabs_of(stack: Grid, points_xyz_mm: ArrayLike) -> np.ndarray:
    """(n,) slab of a stack that holds each of some points (n, 3) [mm]; the first or the last one where none does."""
    return np.clip(round_index(stack.to_index(points_xyz_mm))[:, 0], 0, stack.shape[0] - 1)


def pad_to_multiple(volume: Volume, multiple: int = 32, value: float | np.ndarray = 0) -> Volume:
    """Pad the rows and columns of slabs on both sides, up to a multiple that the network can halve.

    Parameters
    ----------
    volume : Volume
        (N, H, W) slabs.
    multiple : int
        H and W of the result are the next multiples of this number.
    value : float or (N,) array
        Value of the added pixels, for all slabs or for each.

    Returns
    -------
    Volume
        Padded slabs, the odd pixel at the end; each old pixel keeps its place in the world. N is
        unchanged.
    """
    n, *sides = volume.grid.shape
    missing = [-side % multiple for side in sides]
    top, left = (pixels // 2 for pixels in missing)
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world((0, -top, -left))
    height, width = sides
    data = np.empty((n, height + missing[0], width + missing[1]), dtype=volume.data.dtype)
    data[:] = np.reshape(value, (-1, 1, 1))
    data[:, top : top + height, left : left + width] = volume.data
    return Volume(data, Grid(data.shape, affine))


def _count_slabs(grid: Grid, step_mm: float) -> int:
    """Odd number of slabs with centres within the volume's faces."""
    if grid.shape[0] == 1:
        return 1  # however thick, a single slice holds nothing to step through
    half_extent_mm = grid.shape[0] * grid.zooms_mm[0] / 2
    return 2 * floor(half_extent_mm / step_mm + _ROUNDING) + 1


def _positions(n_in: int, n_out: int, ratio: float) -> np.ndarray:
    """(n_out,) positions of the new samples in old voxels: same centre, `ratio` voxels apart."""
    return (n_in - 1) / 2 + (np.arange(n_out) - (n_out - 1) / 2) * ratio


def _anchored(n_in: int, anchor: float, ratio: float) -> np.ndarray:
    """Positions of the new samples within `n_in` old voxels: `ratio` apart, one of them at `anchor`."""
    first = ceil((-0.5 - anchor) / ratio - _ROUNDING)
    last = floor((n_in - 0.5 - anchor) / ratio + _ROUNDING)
    return anchor + np.arange(first, max(first, last) + 1) * ratio


def _box(positions: np.ndarray, n_in: int, width: float) -> np.ndarray:
    """(n_out, n_in) share of each voxel in a box of `width` voxels; rows sum to 1."""
    voxels = np.arange(n_in)
    upper = np.minimum(positions[:, None] + width / 2, voxels + 0.5)
    lower = np.maximum(positions[:, None] - width / 2, voxels - 0.5)
    return _rows_to_one(np.maximum(upper - lower, 0))


def _triangle(positions: np.ndarray, n_in: int, ratio: float) -> np.ndarray:
    """(n_out, n_in) linear interpolation, widened where it coarsens; rows sum to 1.

    One voxel of half-width is plain linear interpolation; a half-width of one OUTPUT pixel
    suppresses what the coarser pixels cannot show.
    """
    distance = np.abs(positions[:, None] - np.arange(n_in))
    return _rows_to_one(np.maximum(1 - distance / max(1.0, ratio), 0))


def _rows_to_one(weights: np.ndarray) -> np.ndarray:
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
