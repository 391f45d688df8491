"""An image with a straightened spine: the way to it and back, for points and for whole images."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .grid import Grid
from .volume import Volume


class Straight(Protocol):
    """A straight image of a scan, and the way there and back."""

    image: Volume

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
