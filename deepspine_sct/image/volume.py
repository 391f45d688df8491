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
