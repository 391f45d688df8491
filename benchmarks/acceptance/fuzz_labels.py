"""Label files for `make fuzz`: right ones in every form, and what people take for them."""

from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from benchmarks.acceptance.fuzz_base import Base
from deepspine_sct.image.grid import Grid


def right_labels(rng, base: Base, path: Path) -> None:
    """Some discs of the base, marked in one of the ways that are in use."""
    grid = base.volume.grid
    values = sorted(rng.choice(list(base.points), rng.integers(1, len(base.points) + 1), replace=False))
    if rng.random() < 0.3:  # on another grid of the same world
        grid = grid.resampled(np.array(grid.shape) * 2, grid.zooms_mm / 2).reoriented(("P", "S", "R"))
    data = np.zeros(grid.shape)
    for value in values:
        data[tuple(np.clip(np.rint(grid.to_index(base.points[value])), 0, np.array(grid.shape) - 1).astype(int))] = (
            value
        )
    if rng.random() < 0.4:
        data = ndimage.grey_dilation(data, size=(1 if rng.random() < 0.5 else 3, 3, 3))
    if rng.random() < 0.3:
        data[data > 0] += rng.uniform(-0.009, 0.009)
    elif rng.random() < 0.3:
        data[tuple(rng.integers(0, 2, 3))] = rng.choice((49, 50, 60))
    dtype = rng.choice(("f4", "f8")) if data.max() % 1 else rng.choice(("u1", "i2", "f4", "f8", "i4"))
    _save(path, data.astype(dtype), grid)


def wrong_labels(rng, base: Base, path: Path) -> str:
    """Write what is no label file of this scan; return what it is."""
    grid, shape = base.volume.grid, base.volume.grid.shape
    points = _marks(base, grid)
    blobs = ndimage.grey_dilation(points, size=(3, 3, 3))
    kinds = {
        "interpolated": lambda: ndimage.shift(blobs, rng.uniform(0.2, 0.8, 3), order=1),
        "splines": lambda: ndimage.shift(blobs, rng.uniform(0.2, 0.8, 3), order=3),
        "blurred": lambda: ndimage.gaussian_filter(blobs, rng.uniform(0.5, 1.5)),
        "rounded": lambda: np.rint(ndimage.zoom(blobs, 1.9, order=1)),
        "levels": lambda: _levels(base, points, rng.integers(2, 5)),
        "discs": lambda: ndimage.grey_dilation(points, size=(5, 3, 13)),
        "mask": lambda: (_levels(base, points, 3) > 0).astype(float),
        "twice": lambda: _again(points, rng),
        "swapped": lambda: _exchanged(points, rng),
        "upside down": lambda: np.where(points > 0, points.max() + points[points > 0].min() - points, 0),
        "times ten": lambda: 10 * points,
        "another scheme": lambda: np.where(points > 0, points + 62, 0),
        "negative": lambda: -points,
        "empty": lambda: 0 * points,
        "the image": lambda: np.asarray(base.volume.data, float) / rng.choice((1, 3.7)),
        "a heatmap": lambda: ndimage.gaussian_filter((blobs > 0).astype(float), 1),
        "elsewhere": lambda: points,
        "noise": lambda: rng.integers(0, 26, shape).astype(float),
    }
    name = list(kinds)[rng.integers(len(kinds))]
    data = kinds[name]()
    if name == "elsewhere":
        affine = grid.affine.copy()
        affine[:3, 3] += rng.choice((-1, 1), 3) * 500
        grid = Grid(shape, affine)
    _save(path, data.astype("f4"), Grid(data.shape, grid.affine))
    return name


def _marks(base: Base, grid: Grid) -> np.ndarray:
    data = np.zeros(grid.shape)
    for value, xyz_mm in base.points.items():
        ijk = np.clip(np.rint(grid.to_index(xyz_mm)), 1, np.array(grid.shape) - 2).astype(int)
        data[tuple(ijk)] = value
    return data


def _levels(base: Base, points: np.ndarray, half_px: int) -> np.ndarray:
    """Levels of a cord behind the discs: row by row the value of the last disc above."""
    data = np.zeros_like(points)
    above = 0.0
    for row in range(points.shape[1]):
        above = max(above, points[:, row].max())
        middle = points.shape[2] // 2
        data[1:4, row, middle - half_px : middle + half_px] = above
    return data


def _again(points: np.ndarray, rng) -> np.ndarray:
    data = points.copy()
    free = np.argwhere(points == 0)
    ijk = np.argwhere(points)
    far = free[np.abs(free[:, None] - ijk[None]).max(axis=-1).min(axis=1) > 2]
    data[tuple(far[rng.integers(len(far))])] = points[tuple(ijk[rng.integers(len(ijk))])]
    return data


def _exchanged(points: np.ndarray, rng) -> np.ndarray:
    data = points.copy()
    first, second = rng.choice(np.argwhere(points), 2, replace=False)
    data[tuple(first)], data[tuple(second)] = points[tuple(second)], points[tuple(first)]
    return data


def _save(path: Path, data: np.ndarray, grid: Grid) -> None:
    nib.save(nib.Nifti1Image(data, grid.affine), path)
