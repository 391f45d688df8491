"""The sagittal plane that the page shows of a scan: its pixels, and where each of them lies in the world.

The plane is one sagittal slice of the scan where the spine is straight from the front, and follows
the discs from side to side where it is not, as in a scoliosis. In both cases row and column of the
picture are row and column of the scan in (L, I, P); only the slice varies with the row. So three
numbers (slice, row, column) and the affine of the scan say where a point of the picture lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..image.grid import Grid, round_index
from ..image.preprocessing import CLIP_PERCENTILES, canonical
from ..image.volume import Volume

THICKNESS_MM = 4.0
"""Left-right width of what is averaged: the spinal canal stays in, the joints beside it out."""

FLAT_MM = 3.0
"""Discs that lie no farther than this from their median slice are shown in one flat slice."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane, flat or curved, through a scan.

    Attributes
    ----------
    grid : Grid
        Of the scan in (L, I, P): index (slice, row, column).
    rows, slices : (n,) arrays
        Slice in which the plane lies at some rows; linear between them and constant beyond. One
        entry makes a flat plane.
    """

    grid: Grid
    rows: np.ndarray
    slices: np.ndarray

    def slice_at(self, rows: np.ndarray) -> np.ndarray:
        """Return the (n,) continuous slice index of the plane at (n,) continuous rows."""
        return np.interp(rows, self.rows, self.slices)

    def to_json(self) -> dict:
        """Describe the plane to the script of the page; all numbers are rounded to 1e-6."""
        return {
            "shape": list(self.grid.shape),
            "affine": np.round(self.grid.affine[:3], 6).tolist(),
            "pixel_mm": np.round(self.grid.zooms_mm[1:], 6).tolist(),
            "curve": np.round(np.stack([self.rows, self.slices], axis=1), 3).tolist(),
        }


def plane_through(volume: Volume, points_xyz: np.ndarray) -> Plane:
    """Lay the plane through some discs.

    Parameters
    ----------
    volume : Volume
        Scan in any orientation.
    points_xyz : (n, 3) array
        World RAS+ mm of the discs. Without any (n = 0) the plane is the middle slice.

    Returns
    -------
    Plane
    """
    grid = canonical(volume).grid
    last = grid.shape[0] - 1
    points = grid.to_index(np.reshape(points_xyz, (-1, 3)))
    points = points[np.argsort(points[:, 1], kind="stable")]
    slices = np.clip(points[:, 0], 0, last) if len(points) else np.array([last / 2])
    middle = round_index(np.median(slices))
    if np.abs(slices - np.median(slices)).max() * grid.zooms_mm[0] <= FLAT_MM:
        return Plane(grid, np.array([0.0]), np.array([float(middle)]))
    # The left-right place of one disc is uncertain by 1 to 2 mm, so each is averaged with its neighbours.
    smooth = np.convolve(np.pad(slices, 1, mode="edge"), np.ones(3) / 3, "valid")
    return Plane(grid, points[:, 1], smooth)


def draw_plane(volume: Volume, plane: Plane) -> np.ndarray:
    """Average the slices around the plane at the scan's own resolution.

    Parameters
    ----------
    volume : Volume
        The scan, in any orientation.
    plane : Plane
        From `plane_through` of the same scan.

    Returns
    -------
    (H, W) uint8 array
        Rows from superior to inferior, columns from anterior to posterior; windowed between the
        percentiles that the network's images are clipped at.
    """
    data = canonical(volume).data
    n_slices, n_rows, _ = data.shape
    rows = np.arange(n_rows)
    centre = plane.slice_at(rows)
    # As many slices on either side as fit into the thickness, so that the middle stays the middle.
    n_beside = int(max(0.0, (THICKNESS_MM / plane.grid.zooms_mm[0] - 1) / 2))
    total = np.zeros(data.shape[1:], dtype=np.float32)
    for offset in range(-n_beside, n_beside + 1):
        at = np.clip(centre + offset, 0, n_slices - 1)
        low = at.astype(int)
        share = (at - low).astype(np.float32)[:, None]
        total += data[low, rows] * (1 - share)
        if share.any():
            total += data[np.minimum(low + 1, n_slices - 1), rows] * share
    low_value, high_value = np.percentile(total, CLIP_PERCENTILES)
    scale = 255 / max(high_value - low_value, 1e-6)
    return np.clip((total - low_value) * scale, 0, 255).astype(np.uint8)
