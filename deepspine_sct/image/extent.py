"""How large a scan can be, and how small and coarse it may be to show discs."""

from __future__ import annotations

import numpy as np

from ..errors import DeepspineError
from .grid import Grid

MIN_EXTENT_MM = 30.0
"""Less than this from superior to inferior or from anterior to posterior shows no two discs."""
MAX_PIXEL_MM = 6.0
"""Coarser than this along the spine, discs melt into each other."""
MIN_VOXEL_MM = 0.01
"""Finer than a microscope's image of a spine, it is a wrong header."""
MAX_ORIGIN_MM = 1e5
"""Farther from the world's origin a header's single floats cannot tell voxels apart."""
MAX_HEIGHT_MM = 1500.0
"""No scan is higher; a header that says so is wrong, and would cost memory without bound."""
MAX_WIDTH_MM = 700.0
"""Nor is one wider or deeper: scanners measure 600 or 700 mm across."""


def check_extent(grid: Grid) -> None:
    """Refuse a grid, in (L, I, P), that cannot show a row of discs from the side."""
    across_mm, down_mm, back_mm = grid.shape * grid.zooms_mm
    if min(down_mm, back_mm) < MIN_EXTENT_MM:
        raise DeepspineError(
            f"the image, apart from empty margins, is only {down_mm:.3g} mm high and {back_mm:.3g} mm deep; at least"
            f" {MIN_EXTENT_MM:.0f} mm are needed in both directions; give an image of a larger part of the spine"
        )
    if down_mm > MAX_HEIGHT_MM or max(across_mm, back_mm) > MAX_WIDTH_MM:
        raise DeepspineError(
            f"the header gives the image {across_mm:.4g} x {back_mm:.4g} x {down_mm:.4g} mm,"
            " which is larger than any scanner; correct its voxel size"
        )
    if min(grid.zooms_mm) < MIN_VOXEL_MM or np.abs(grid.affine[:3, 3]).max() > MAX_ORIGIN_MM:
        raise DeepspineError(
            f"the header gives voxels of {min(grid.zooms_mm):.2g} mm and an origin"
            f" {np.abs(grid.affine[:3, 3]).max():.2g} mm away; correct the header"
        )
    if max(grid.zooms_mm[1:]) > MAX_PIXEL_MM:
        raise DeepspineError(
            f"voxels of {max(grid.zooms_mm[1:]):.1f} mm in the sagittal plane are too coarse to tell"
            f" discs apart (at most {MAX_PIXEL_MM:.0f} mm); use a sagittal or isotropic scan"
        )
