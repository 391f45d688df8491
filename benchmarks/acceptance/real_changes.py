"""What is done to a real scan to see whether its names hold: cut, turned, shrunk, coarsened, darkened, repainted.

Each change takes a scan and a random generator and returns another scan with the truth that is left in it.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from benchmarks.acceptance.real_sources import RealScan
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume, crop

Change = Callable[[RealScan, np.random.Generator], RealScan]

EDGE_MM = 4.0  # a tip nearer to a cut than this may be found and may be missed
FIELD_MM = 25.0  # of the coil's sensitivity, as the marrow shows it

# Brightness of other contrasts over that of a T2w image, in which marrow is 1: muscle 0.25, fat 2, water 3 and more.
# A curve for bone and everything else (the sacrum has no mask), one for the discs and one for the canal.
_T2_LEVELS = (0.0, 0.08, 0.25, 1.0, 2.0, 4.0)
CONTRASTS = {
    "t1": ((0.0, 0.05, 0.35, 0.62, 1.0, 1.1), (0.25, 0.26, 0.28, 0.36, 0.42, 0.5), (0.2, 0.25, 0.3, 0.4, 0.2, 0.1)),
    "stir": ((0.0, 0.03, 0.3, 0.2, 0.08, 0.3), (0.06, 0.1, 0.18, 0.55, 0.9, 1.1), (0.06, 0.1, 0.16, 0.5, 0.9, 1.3)),
    "water": ((0.0, 0.05, 0.3, 0.32, 0.05, 0.5), (0.2, 0.25, 0.35, 0.6, 0.7, 0.8), (0.1, 0.15, 0.3, 0.5, 0.8, 1.0)),
    "fat": ((0.0, 0.02, 0.06, 0.5, 1.0, 0.3), (0.03, 0.03, 0.04, 0.05, 0.05, 0.05), (0.03, 0.03, 0.04, 0.06, 0.2, 0.1)),
}  # fmt: skip


def unchanged(scan: RealScan, rng: np.random.Generator) -> RealScan:
    """Return the scan as it is."""
    return scan


def repainted(contrast: str) -> Change:
    """Map bone with the rest, discs and canal to another contrast, each on its own; the texture stays."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        bone = scan.tissue == 1
        sigma_px = FIELD_MM / scan.volume.grid.zooms_mm
        blurred = ndimage.gaussian_filter((scan.volume.data * bone), sigma_px, truncate=3)
        field = np.maximum(blurred / np.maximum(ndimage.gaussian_filter(bone.astype(np.float32), sigma_px), 1e-4), 1)
        painted = np.zeros_like(field)
        of_tissue = (scan.tissue < 2, scan.tissue == 2, scan.tissue == 3)
        for mask, curve in zip(of_tissue, CONTRASTS[contrast], strict=True):
            share = ndimage.gaussian_filter(mask.astype(np.float32), (0, 0.6, 0.6))  # no step where the mask ends
            painted += share * np.interp(scan.volume.data / field, _T2_LEVELS, curve).astype(np.float32)
        noisy = np.hypot(painted + rng.normal(0, 0.015, field.shape), rng.normal(0, 0.015, field.shape))
        return replace(scan, volume=Volume((noisy * field).astype(np.float32), scan.volume.grid))

    return change


def inverted(scan: RealScan, rng: np.random.Generator) -> RealScan:
    """Make dark what is bright, the air around the body too."""
    data = scan.volume.data
    return replace(scan, volume=Volume(np.maximum(np.percentile(data, 99.8) - data, 0), scan.volume.grid))


def darkened(scan: RealScan, rng: np.random.Generator) -> RealScan:
    """Let the brightness fall to a ninetieth from one end of the image to the other."""
    down = np.exp(np.linspace(0, -4.5, scan.volume.data.shape[1]))[:: int(rng.choice([-1, 1]))]
    return replace(scan, volume=Volume((scan.volume.data * down[:, None]).astype(np.float32), scan.volume.grid))


def noisy(scan: RealScan, rng: np.random.Generator) -> RealScan:
    """Add Rician noise, a twelfth of the bright intensities strong."""
    sigma = np.percentile(scan.volume.data, 99) / 12
    real, imaginary = rng.normal(0, sigma, (2, *scan.volume.data.shape))
    data = np.hypot(scan.volume.data + real, imaginary).astype(np.float32)
    return replace(scan, volume=Volume(data, scan.volume.grid))


def with_metal(scan: RealScan, rng: np.random.Generator) -> RealScan:
    """Draw a void with a bright rim over the front of two bodies, as a plate leaves it."""
    points_ijk = scan.volume.grid.to_index(np.array([scan.truth[v] for v in sorted(scan.truth)]))
    row, column = points_ijk[rng.integers(1, len(points_ijk) - 1), 1:]
    rows_mm, columns_mm = scan.volume.grid.zooms_mm[1:]
    at_row, at_column = np.indices(scan.volume.data.shape[1:])
    radius = np.hypot((at_row - row) * rows_mm / 18, ((at_column - column) * columns_mm + 20) / 7)
    rim = 1.2 * np.percentile(scan.volume.data, 99) * np.exp(-np.square((radius - 1.15) / 0.12))
    data = scan.volume.data * np.clip((radius - 1) / 0.15 + 0.5, 0, 1) + rim
    return replace(scan, volume=Volume(data.astype(np.float32), scan.volume.grid))


def turned(degrees: float) -> Change:
    """Turn the image about its discs in the sagittal plane, to either side; what comes into view is black."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        grid = scan.volume.grid
        angle = np.deg2rad(degrees * rng.choice([-1, 1]))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        zooms = np.diag(grid.zooms_mm[1:])
        to_source = np.eye(3)
        to_source[1:, 1:] = np.linalg.inv(zooms) @ turn @ zooms
        centre = grid.to_index(np.mean(list(scan.truth.values()), axis=0))
        data = ndimage.affine_transform(scan.volume.data, to_source, centre - to_source @ centre, order=1)

        def move(xyz_mm: np.ndarray) -> np.ndarray:
            return grid.to_world((grid.to_index(xyz_mm) - centre) @ np.linalg.inv(to_source).T + centre)

        return _in_view(_moved(replace(scan, volume=Volume(data, grid)), move))

    return change


def shrunk(share: float) -> Change:
    """Make the voxels smaller, and with them the subject."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        affine = scan.volume.grid.affine.copy()
        affine[:3, :3] *= share
        grid = Grid(scan.volume.grid.shape, affine)
        moved = replace(scan, volume=Volume(scan.volume.data, grid))
        return _moved(moved, lambda xyz_mm: grid.to_world(scan.volume.grid.to_index(xyz_mm)))

    return change


def coarsened(*zooms_mm: float | None) -> Change:
    """Average to larger voxels [mm]; None leaves an axis (left-right, up-down, front-back) as it is."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        volume = scan.volume
        for axis, zoom_mm in enumerate(zooms_mm):
            volume = _averaged(volume, axis, zoom_mm) if zoom_mm else volume
        return _in_view(replace(scan, volume=volume, tissue=None))

    return change


def doubled(scan: RealScan, rng: np.random.Generator) -> RealScan:
    """Double the pixels' size."""
    return coarsened(None, *(2 * scan.volume.grid.zooms_mm[1:]))(scan, rng)


def _averaged(volume: Volume, axis: int, zoom_mm: float) -> Volume:
    """Average along one axis over steps of `zoom_mm`, about the middle of the image."""
    n_old, ratio = volume.data.shape[axis], zoom_mm / volume.grid.zooms_mm[axis]
    n = max(1, int(n_old / ratio))
    edges = np.clip((n_old - n * ratio) / 2 + ratio * np.arange(n + 1), 0, n_old)
    total = np.concatenate(
        [np.zeros_like(volume.data.take([0], axis)), volume.data.cumsum(axis, dtype=np.float64)], axis
    )
    low = np.minimum(edges.astype(int), n_old - 1)
    share = np.expand_dims(edges - low, [other for other in range(3) if other != axis])
    at_edges = total.take(low, axis) * (1 - share) + total.take(low + 1, axis) * share
    data = np.diff(at_edges, axis=axis) / np.expand_dims(np.diff(edges), [o for o in range(3) if o != axis])
    affine = volume.grid.affine.copy()
    start = np.zeros(3)
    start[axis] = edges[:2].mean() - 0.5
    affine[:3, 3] = volume.grid.to_world(start)
    affine[:3, axis] *= ratio
    return Volume(data.astype(np.float32), Grid(data.shape, affine))


def cut_above(value: int) -> Change:
    """Keep what lies below the middle of the vertebra above a disc: the disc is the first that is seen."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        return _rows(scan, _row_between(scan, value - 1, value), np.inf)

    return change


def cut_below(last: int, n_discs: int | None = None) -> Change:
    """Keep what lies above the middle of the vertebra below a disc; with ``n_discs`` only so many discs."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        first = last + 1 - n_discs if n_discs else min(scan.truth)
        top = _row_between(scan, first - 1, first) if first - 1 in scan.truth else 0
        return _rows(scan, top, _row_between(scan, last, last + 1))

    return change


def window(height_mm: float, depth_mm: float | None = None) -> Change:
    """Keep a window in the middle of two neighbouring discs; with ``depth_mm`` also cut in front and behind."""

    def change(scan: RealScan, rng: np.random.Generator) -> RealScan:
        value = rng.choice([v for v in sorted(scan.truth) if v + 1 in scan.truth])
        middle_px = scan.volume.grid.to_index((scan.truth[value] + scan.truth[value + 1]) / 2)
        rows_px, columns_px = np.array((height_mm, depth_mm or np.inf)) / scan.volume.grid.zooms_mm[1:]
        front = middle_px[2] - 0.6 * columns_px  # the bodies lie in front of the tips
        seen = _rows(scan, middle_px[1] - rows_px / 2, middle_px[1] + rows_px / 2)
        if depth_mm is None:
            return seen
        low, high = np.zeros(3, int), np.array(seen.volume.data.shape)
        low[2], high[2] = int(max(0, front)), int(front + columns_px)
        return _in_view(replace(seen, volume=crop(seen.volume, low, high), tissue=None))

    return change


def _row_between(scan: RealScan, above: int, below: int) -> float:
    if above not in scan.truth or below not in scan.truth:
        return 0.0
    return float(scan.volume.grid.to_index((scan.truth[above] + scan.truth[below]) / 2)[1])


def _rows(scan: RealScan, top: float, bottom: float) -> RealScan:
    """Keep the rows between two."""
    low, high = np.zeros(3, int), np.array(scan.volume.data.shape)
    low[1], high[1] = max(0, int(round(top))), int(min(high[1], round(bottom) if np.isfinite(bottom) else high[1]))
    return _in_view(replace(scan, volume=crop(scan.volume, low, high), tissue=None))


def _moved(scan: RealScan, move: Callable[[np.ndarray], np.ndarray]) -> RealScan:
    """Move all points."""
    truth, edge = ({value: move(xyz_mm) for value, xyz_mm in points.items()} for points in (scan.truth, scan.edge))
    return replace(scan, truth=truth, edge=edge)


def _in_view(scan: RealScan) -> RealScan:
    """Keep the true discs that lie in the image; those at its edge may be found and may be missed."""
    height, width = scan.volume.data.shape[1:]
    rows_mm, columns_mm = scan.volume.grid.zooms_mm[1:]
    truth, edge = {}, {}
    for value, xyz_mm in (scan.edge | scan.truth).items():
        row, column = scan.volume.grid.to_index(xyz_mm)[1:] + 0.5
        inside_mm = min(min(row, height - row) * rows_mm, min(column, width - column) * columns_mm)
        (truth if inside_mm >= EDGE_MM and value in scan.truth else edge)[value] = xyz_mm
    return replace(scan, truth=truth, edge=edge)
