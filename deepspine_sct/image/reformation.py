"""Curved reformation: slide the axial rows of a scan sideways until its spine stands in one plane.

Only left-right: bends to the front and to the back are left as they are, as one sagittal image
shows them anyway. A scoliosis takes the spine out of every sagittal slab; here it is brought back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Grid
from .preprocessing import canonical
from .volume import Volume

HALF_WIDTH_MM = 20.0
"""Reach of the reformation to each side of the spine."""

SMOOTH_MM = 30.0
"""Height over which the curve is averaged: about a vertebra."""


@dataclass(frozen=True, eq=False)
class Reformation:
    """A scan with its spine in one sagittal plane, and the way there and back.

    Attributes
    ----------
    image : Volume
        float32, in (L, I, P). The spine stands in its middle plane; rows and columns are those of
        the scan in that orientation.
    scan : Grid
        Grid of the scan in (L, I, P).
    middle : (H,) array
        Left-right index of the spine in the scan, in each row.
    """

    image: Volume
    scan: Grid
    middle: np.ndarray

    def to_scan(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points (n, 3) [RAS+ mm] of the reformation back into the scan."""
        ijk = self.image.grid.to_index(points_xyz)
        ijk[:, 0] += self._slide(ijk[:, 1])
        return self.scan.to_world(ijk)

    def from_scan(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points (n, 3) [RAS+ mm] of the scan into the reformation."""
        ijk = self.scan.to_index(points_xyz)
        ijk[:, 0] -= self._slide(ijk[:, 1])
        return self.image.grid.to_world(ijk)

    def _slide(self, rows: np.ndarray) -> np.ndarray:
        """(n,) how far continuous rows were slid, in voxels."""
        slides = self.middle - (self.image.grid.shape[0] - 1) / 2
        return np.interp(rows, np.arange(len(slides)), slides)


def reform(volume: Volume, points_xyz: np.ndarray) -> Reformation:
    """Bring the spine into one sagittal plane.

    Parameters
    ----------
    volume : Volume
        Scan in any orientation.
    points_xyz : (n, 3) array
        World RAS+ mm of points on the spine, n at least 1. The curve is straight beyond them.

    Returns
    -------
    Reformation
    """
    upright = canonical(volume)
    n, n_rows, _ = upright.grid.shape
    middle = _middle(upright.grid, points_xyz)
    half = int(np.ceil(HALF_WIDTH_MM / upright.grid.zooms_mm[0]))
    data = np.empty((2 * half + 1, *upright.grid.shape[1:]), dtype=np.float32)
    for row in range(n_rows):
        # Beyond the scan its outermost slice is repeated.
        across = np.clip(middle[row] + np.arange(-half, half + 1), 0, n - 1)
        low = across.astype(int)
        high = np.minimum(low + 1, n - 1)
        share = (across - low).astype(np.float32)[:, None]
        plane = upright.data[:, row]
        data[:, row] = plane[low] * (1 - share) + plane[high] * share
    affine = upright.grid.affine.copy()
    affine[:3, 3] = upright.grid.to_world(np.array([middle.mean() - half, 0, 0]))
    return Reformation(Volume(data, Grid(data.shape, affine)), upright.grid, middle)


def _middle(grid: Grid, points_xyz: np.ndarray) -> np.ndarray:
    """(H,) left-right index of a smooth curve through the points, in each row of a grid."""
    ijk = grid.to_index(points_xyz)
    ijk = ijk[np.argsort(ijk[:, 1])]
    rough = np.interp(np.arange(grid.shape[1]), ijk[:, 1], ijk[:, 0])
    beside = int(SMOOTH_MM / 2 / grid.zooms_mm[1])
    width = 2 * beside + 1
    return np.convolve(np.pad(rough, beside, mode="edge"), np.ones(width) / width, "valid")
