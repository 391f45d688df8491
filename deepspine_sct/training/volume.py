"""Simulated 3-D scans with known discs: slices of one bent body, tilted against the grid."""

from dataclasses import dataclass

import numpy as np

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.training.atlas import Atlas
from deepspine_sct.training.contrast import random_contrast
from deepspine_sct.training.scanner import scan
from deepspine_sct.training.shape import random_shape
from deepspine_sct.training.tissue import paint


@dataclass(frozen=True)
class VolumeSpec:
    """What a simulated scan looks like."""

    family: str  # contrast, a key of contrast.FAMILIES
    shape: tuple[int, int, int]  # slices left to right, rows, columns
    zooms_mm: tuple[float, float, float]
    centre_s_mm: float  # template position at the middle of the image
    tilt: float = 0.0  # left-right drift of the spine [mm per mm along it]


def simulate_volume(seed: int, atlas: Atlas, spec: VolumeSpec) -> tuple[Volume, dict[int, np.ndarray]]:
    """Simulate a scan in (L, I, P); the same seed gives the same bytes.

    Returns
    -------
    Volume of int16, and the world position [mm] of every disc inside it. Discs whose mid-sagittal plane lies outside
    of the slices are left out.
    """
    rng = np.random.default_rng(seed)
    body = random_shape(rng)
    family, means = random_contrast(rng, spec.family)
    n, height, width = spec.shape
    step_mm, row_mm, col_mm = spec.zooms_mm
    centre_mm = body.to_plane(np.array(spec.centre_s_mm), np.array(12.0))
    origin_mm = centre_mm - (height * row_mm / 2, width * col_mm * 0.5)
    rows_mm, cols_mm = np.arange(height) * row_mm, np.arange(width) * col_mm
    points_mm = np.stack(np.meshgrid(rows_mm, cols_mm, indexing="ij"), -1) + origin_mm
    s_mm, u_mm = body.to_cord(points_mm)
    slices_mm = (np.arange(n) - (n - 1) / 2) * step_mm
    drift_mm = rng.uniform(-2, 2) + spec.tilt * (s_mm - spec.centre_s_mm)
    anatomy_seed, scanner_seed = rng.integers(2**32, size=2)
    data = np.stack([
        # The same seed for every slice: one anatomy, one coil, and noise that a slab average does not remove.
        _slice(anatomy_seed, scanner_seed, atlas, s_mm, u_mm, np.clip(x - drift_mm, -16, 16), family, means, row_mm)
        for x in slices_mm
    ])  # fmt: skip
    affine = np.array([[-step_mm, 0, 0, 0], [0, 0, -col_mm, 0], [0, -row_mm, 0, 0], [0, 0, 0, 1.0]])
    volume = Volume(np.round(data * (600 / np.percentile(data, 99.5))).clip(0, 2000).astype(np.int16), Grid(spec.shape, affine))
    tips_rc = (body.to_plane(LEVEL_MM, atlas.tip_u_mm) - origin_mm) / (row_mm, col_mm)
    offset_mm = _at_tips(drift_mm, tips_rc)
    tips_ijk = np.column_stack([offset_mm / step_mm + (n - 1) / 2, tips_rc])
    inside = volume.grid.contains(tips_ijk)
    points = {v: volume.grid.to_world(tips_ijk[v - 1]) for v in range(1, 26) if inside[v - 1]}
    return volume, points


def _at_tips(drift_mm: np.ndarray, tips_rc: np.ndarray) -> np.ndarray:
    """Left-right position of the mid-plane at each tip (nearest pixel; clipped to the image)."""
    row, col = (np.rint(tips_rc[:, axis]).astype(int).clip(0, drift_mm.shape[axis] - 1) for axis in (0, 1))
    return drift_mm[row, col]


def _slice(anatomy_seed, scanner_seed, atlas, s_mm, u_mm, x_mm, family, means, spacing_mm) -> np.ndarray:
    image = paint(np.random.default_rng(anatomy_seed), atlas, s_mm, u_mm, x_mm, family, means)
    return scan(np.random.default_rng(scanner_seed), image, spacing_mm)[0]
