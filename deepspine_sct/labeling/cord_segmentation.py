"""A segmentation of the spinal cord, read with suspicion: what is taken for one without being it shifts every level."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

import numpy as np

from ..errors import DeepspineError
from ..image.grid import UPRIGHT, Grid
from ..image.nifti import read_any
from ..image.volume import Volume, reorient

MAX_AREA_MM2 = 1000.0
"""More than this in a slice is no cord: a cord has up to 100, the whole canal up to 400."""

_LEAST_SHARE = 1 / 3
"""A cord is marked in at least this share of the slices from its first to its last one."""
MAX_SOFT_VALUE = 1.5
"""A soft segmentation goes from 0 to 1, or a little beyond where it was resampled with splines."""

BESIDE_MM = 25.0
"""A piece that lies farther in front of, behind or beside the largest one is no part of the cord, which stays within
its canal. A piece that lies above or below the largest one may be farther away by as much as it is higher or lower,
since the cord bends by 45 degrees at most."""

MAX_TISSUES = 100
"""More values than this are no labels of tissues but the grey values of an image."""


def read_cord(path: str | os.PathLike[str], image: Grid) -> Volume:
    """Read a segmentation of the spinal cord and check that it belongs to an image.

    Parameters
    ----------
    path : path
        NIfTI file; every voxel above zero belongs to the cord. Any grid in the world of the
        image will do.
    image : Grid
        Grid of the image.

    Returns
    -------
    Volume
        float32, nowhere below zero.

    Raises
    ------
    DeepspineError
        When it is unreadable, marks nothing, marks more than a cord or what is no cord, or lies
        beside the image.
    """
    read = read_any(Path(path))
    cord = Volume(np.maximum(read.data, 0), read.grid)  # splines that resample a soft one swing below zero
    ijk = np.argwhere(cord.data)
    if not len(ijk):
        raise DeepspineError(f"{path}: marks no voxel as spinal cord; segment the image again")
    marked = np.unique(ijk[:, slice_axis(cord.grid)])
    n_slices = marked.size
    if n_slices < _LEAST_SHARE * (np.ptp(marked) + 1):
        raise DeepspineError(
            f"{path}: marks {n_slices} of the {np.ptp(marked) + 1} slices between its ends, as disc labels do; give"
            " the segmentation of the cord"
        )
    values = np.unique(cord.data[tuple(ijk.T)])
    if values[-1] > MAX_SOFT_VALUE and 1 < len(values) <= MAX_TISSUES:
        raise DeepspineError(
            f"{path}: holds {len(values)} values from {values[0]:g} to {values[-1]:g}, so it marks more than the spinal"
            " cord; give the cord alone (from SCT's _totalspineseg_all it is taken with"
            f" `sct_maths -i {quote(str(path))} -uthr 1 -o cord.nii.gz`)"
        )
    voxel_mm2 = np.prod(cord.grid.reoriented(UPRIGHT).zooms_mm[:2])
    area_mm2 = len(ijk) * voxel_mm2 / n_slices
    if area_mm2 > MAX_AREA_MM2:
        raise DeepspineError(
            f"{path}: marks {area_mm2:.0f} mm2 in each axial slice, which is too large for a spinal cord; "
            "give the segmentation of the cord"
        )
    if n_slices < 2:
        raise DeepspineError(f"{path}: marks the cord in one axial slice only; segment it again")
    if not image.contains(image.to_index(cord.grid.to_world(ijk))).any():
        raise DeepspineError(f"{path}: lies outside of the image; give a segmentation of the same scan")
    return cord


def slice_axis(grid: Grid) -> int:
    """Array axis that counts axial slices."""
    return grid.moves_to(UPRIGHT)[0][2]


def pieces_beside(cord: Volume) -> tuple[int, float]:
    """Find what is marked beside the cord: pieces of their own, farther than `BESIDE_MM` from the largest one.

    Returns
    -------
    n_voxels : int
        Voxels of such pieces; 0 without one.
    away_mm : float
        Distance of the middle of the farthest of them from the largest piece at its height [mm].
    """
    from scipy import ndimage  # slow to load

    upright = reorient(cord, UPRIGHT)
    parts, n_parts = ndimage.label(upright.data, np.ones((3, 3, 3)))
    if n_parts < 2:
        return 0, 0.0
    sizes = np.bincount(parts.ravel())[1:]
    largest = int(sizes.argmax()) + 1
    i, j, k = np.nonzero(parts == largest)
    slices, which = np.unique(k, return_inverse=True)
    line = [np.bincount(which, at) / np.bincount(which) for at in (i, j)]
    middles = np.array(ndimage.center_of_mass(parts > 0, parts, range(1, n_parts + 1)))
    beside = np.column_stack([np.interp(middles[:, 2], slices, at) for at in line])
    away_mm = np.linalg.norm((middles[:, :2] - beside) * upright.grid.zooms_mm[:2], axis=1)
    higher_mm = np.abs(middles[:, 2] - middles[:, 2].clip(slices[0], slices[-1])) * upright.grid.zooms_mm[2]
    stray = away_mm > BESIDE_MM + higher_mm
    return int(sizes[stray].sum()), float(away_mm[stray].max(initial=0))
