"""An image with a straightened spine: the way to it and back, for points and for whole images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ..anatomy import Points
from ..errors import DeepspineError
from .grid import Grid
from .volume import Volume


class Straight(Protocol):
    """A straight image of a scan, and the way there and back."""

    @property
    def image(self) -> Volume:
        """The image."""

    def to_scan(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points (n, 3) into the scan; NaN where the way is not defined."""

    def from_scan(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points (n, 3) of the scan here; NaN where the way is not defined."""


def bring_back(shown: Volume, straight: Straight, scan: Grid) -> Volume:
    """Bend an image of a straight spine back into the shape of the scan.

    Parameters
    ----------
    shown : Volume
        In the world of the straight image, for example a map of what the network saw in it.
    straight : Straight
        The way.
    scan : Grid
        Grid of the scan.

    Returns
    -------
    Volume
        float32 on `scan`: linear between the voxel centres of `shown`, zero outside of its voxels
        and where the way is not defined.
    """
    from scipy.ndimage import map_coordinates  # slow to load

    data = np.empty(scan.shape, dtype=np.float32)
    plane_ijk = np.indices((1, *scan.shape[1:])).reshape(3, -1).T
    for i, plane in enumerate(data):  # one at a time: coordinates take more room than values
        there_xyz = straight.from_scan(scan.to_world(plane_ijk + (i, 0, 0)))
        at = np.nan_to_num(shown.grid.to_index(there_xyz), nan=-2.0)
        inside = ((at >= -0.5) & (at <= np.array(shown.grid.shape) - 0.5)).all(axis=1)
        values = inside * map_coordinates(shown.data, at.T, order=1, mode="nearest")
        plane[...] = values.reshape(plane.shape)
    return Volume(data, scan)


def carry(way: Callable[[np.ndarray], np.ndarray], points: Points, strict: bool = True) -> dict[int, np.ndarray]:
    """Carry named points to another image.

    Parameters
    ----------
    way : callable
        `Straight.to_scan` or `Straight.from_scan`.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value.
    strict : bool
        Refuse a point without a place in the other image; else it is left out.

    Returns
    -------
    dict of int to (3,) array

    Raises
    ------
    DeepspineError
        See `strict`.
    """
    moved_xyz = way(np.array(list(points.values()), dtype=np.float64).reshape(-1, 3))
    moved = dict(zip(points, moved_xyz, strict=True))
    lost = [value for value, xyz_mm in moved.items() if not np.isfinite(xyz_mm).all()]
    if lost and strict:
        raise DeepspineError(
            f"the given disc {lost[0]} lies outside of what was straightened; give a disc beside the segmented "
            "cord, or use -straighten 0"
        )
    return {value: xyz_mm for value, xyz_mm in moved.items() if value not in lost}
