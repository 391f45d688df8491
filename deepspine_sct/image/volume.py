"""A three-dimensional image: an array together with the grid that says where its voxels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .grid import Grid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False)
class Volume:
    """Array and grid of one shape.

    Parameters
    ----------
    data : (I, J, K) array
        Voxel values. Not copied: a volume may be a view of another one.
    grid : Grid
        Where the voxels are; ``grid.shape == data.shape``.

    Raises
    ------
    ValueError
        When the two shapes differ.
    """

    data: np.ndarray = field(repr=False)
    grid: Grid

    def __post_init__(self) -> None:
        if self.data.shape != self.grid.shape:
            raise ValueError(f"data {self.data.shape} does not fit the grid {self.grid.shape}")


def reorient(volume: Volume, axcodes: Sequence[str]) -> Volume:
    """Transpose and flip a volume to another orientation, without a copy.

    Parameters
    ----------
    volume : Volume
        Image in any orientation, oblique ones included.
    axcodes : (3,) sequence of str
        Wanted axis codes, for example ``("L", "I", "P")``.

    Returns
    -------
    Volume
        A view of the same memory; each value keeps its place in the world.

    Raises
    ------
    ValueError
        When `axcodes` do not name each world axis once.
    """
    axes, flips = volume.grid.moves_to(axcodes)
    directions = tuple(slice(None, None, -1 if flipped else 1) for flipped in flips)
    return Volume(volume.data.transpose(axes)[directions], volume.grid.reoriented(axcodes))


def crop(volume: Volume, low_ijk: ArrayLike, high_ijk: ArrayLike) -> Volume:
    """Cut a box out of a volume, without a copy.

    Parameters
    ----------
    volume : Volume
        Image in any orientation.
    low_ijk, high_ijk : (3,) array of int
        First voxel of the box, and the one behind its last; cut to the volume.

    Returns
    -------
    Volume
        A view of the same memory; each value keeps its place in the world.

    Raises
    ------
    ValueError
        When the box holds no voxel of the volume.
    """
    low = np.clip(low_ijk, 0, volume.grid.shape)
    high = np.clip(high_ijk, 0, volume.grid.shape)
    if not (low < high).all():
        raise ValueError(f"no voxel of {volume.grid.shape} lies from {low} to {high}")
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world(low)
    data = volume.data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return Volume(data, Grid(data.shape, affine))


def crop_around(volume: Volume, points_xyz_mm: ArrayLike, margin_mm: float = 0.0) -> Volume:
    """Cut the rows and columns around some points out of a volume in (L, I, P), as a view with all of its slices.

    Parameters
    ----------
    volume : Volume
        In (L, I, P).
    points_xyz_mm : (n, 3) array
        World positions [mm]; of those outside the nearest place in the volume counts.
    margin_mm : float
        What is kept beyond the points.

    Returns
    -------
    Volume
        As of `crop`.
    """
    at_ijk = np.clip(volume.grid.to_index(points_xyz_mm), 0, np.array(volume.grid.shape) - 1)
    margin = margin_mm / volume.grid.zooms_mm
    low = np.floor(at_ijk.min(axis=0) - margin).astype(int)
    high = np.ceil(at_ijk.max(axis=0) + margin).astype(int) + 1
    low[0], high[0] = 0, volume.grid.shape[0]
    return crop(volume, low, high)
