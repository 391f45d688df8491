"""Localizers of three planes in one file: its one affine is that of the sagittal slices, the others lie elsewhere."""

from __future__ import annotations

import numpy as np

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume

THICK_MM = 10.0
PLANES = 3  # of each kind, so far apart as they are thick
LOOKED_AT = (0.3, 0.5, 0.7)  # shares of the height where the axial planes lie


def three_planes(volume: Volume) -> Volume:
    """Cut thick sagittal, coronal and axial slices out of a volume in (L, I, P) and stack them under one affine.

    Parameters
    ----------
    volume : Volume
        Its pixels are square, its slices thinner than `THICK_MM`.
    """
    data, grid = np.asarray(volume.data, dtype=np.float32), volume.grid
    across_mm, pixel_mm = grid.zooms_mm[:2]
    n_slices, n_rows, n_cols = data.shape
    offsets_mm = THICK_MM * (np.arange(PLANES) - (PLANES - 1) / 2)
    lefts = n_slices // 2 + offsets_mm / across_mm
    sagittal = [_mean(data, left, across_mm, 0) for left in lefts]
    across = np.repeat(data, max(round(across_mm / pixel_mm), 1), axis=0)
    coronal = [_mean(across, n_cols / 2 + mm / pixel_mm, pixel_mm, 2).T for mm in offsets_mm]
    axial = [_mean(across, share * n_rows, pixel_mm, 1).T for share in LOOKED_AT]
    planes = [*sagittal, *(_framed(plane, (n_rows, n_cols)) for plane in coronal + axial)]
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(np.array([lefts[0], 0, 0]))
    affine[:3, 0] *= THICK_MM / across_mm
    stack = np.round(np.stack(planes)).astype(np.int16)
    return Volume(stack, Grid(stack.shape, affine))


def _mean(data: np.ndarray, centre: float, zoom_mm: float, axis: int) -> np.ndarray:
    """Mean over the thickness of a slice around an index of one axis."""
    n = max(round(THICK_MM / zoom_mm), 1)
    first = int(np.clip(round(centre - (n - 1) / 2), 0, data.shape[axis] - n))
    return data.take(range(first, first + n), axis=axis).mean(axis=axis)


def _framed(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Put a plane into the middle of a dark frame, cut to its size."""
    framed = np.zeros(shape, dtype=plane.dtype)
    size = [min(pair) for pair in zip(plane.shape, shape, strict=True)]
    of_plane, of_frame = (
        tuple(slice((whole - part) // 2, (whole - part) // 2 + part) for whole, part in zip(full, size, strict=True))
        for full in (plane.shape, shape)
    )
    framed[of_frame] = plane[of_plane]
    return framed
