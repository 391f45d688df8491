"""Simulated 3-D scans with known discs: slices of one bent body, tilted against the grid."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deepspine_sct.anatomy import DISC_VALUES, LEVEL_MM
from deepspine_sct.image.grid import Grid, round_index
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation.atlas import TISSUES, Atlas
from deepspine_sct.simulation.contrast import random_contrast
from deepspine_sct.simulation.scanner import scan
from deepspine_sct.simulation.shape import BodyShape, random_shape
from deepspine_sct.simulation.tissue import end_cord, paint, sample_spine
from deepspine_sct.simulation.variants import COMMON

_SWAY_PERIOD_MM = 320.0  # a whole S: two curves of opposite sign, each of about eight vertebrae


@dataclass(frozen=True)
class VolumeSpec:
    """What a simulated scan looks like."""

    family: str  # contrast, a key of contrast.FAMILIES
    shape: tuple[int, int, int]  # slices left to right, rows, columns
    zooms_mm: tuple[float, float, float]
    centre_s_mm: float  # template position at the middle of the image
    tilt: float = 0.0  # left-right drift of the spine [mm per mm along it]
    sway_mm: float = 0.0  # left-right amplitude of a scoliosis


@dataclass(frozen=True)
class _Pose:
    """A body in a scanner: cord coordinates of every pixel of every slice [mm]."""

    body: BodyShape
    family: str
    means: dict[str, float]
    origin_mm: np.ndarray  # (2,) down and posterior, of pixel (0, 0)
    s_mm: np.ndarray  # (H, W)
    u_mm: np.ndarray  # (H, W)
    drift_mm: np.ndarray  # (H, W) left-right place of the mid-sagittal plane
    slices_mm: np.ndarray  # (N,) left-right place of the slices
    grid: Grid

    def lateral_mm(self) -> Iterator[np.ndarray]:
        """Yield (H, W) offsets from the mid-sagittal plane, one array per slice."""
        for x_mm in self.slices_mm:
            yield np.clip(x_mm - self.drift_mm, -16, 16)


def simulate_volume(seed: int, atlas: Atlas, spec: VolumeSpec) -> tuple[Volume, dict[int, np.ndarray]]:
    """Simulate a scan in (L, I, P); the same seed gives the same bytes.

    Returns
    -------
    Volume of int16, and the world position [mm] of every disc that can be seen in it. Discs whose mid-sagittal
    plane lies outside of the slices, or whose tip lies where the scanner shows nothing, are left out.
    """
    rng = np.random.default_rng(seed)
    pose = _pose(rng, spec)
    anatomy_seed, scanner_seed = rng.integers(2**32, size=2)
    # One seed for every slice: one anatomy, one coil, noise that a slab average does not remove.
    slices = [_slice(anatomy_seed, scanner_seed, atlas, pose, x_mm) for x_mm in pose.lateral_mm()]
    data, visible = (np.stack(part) for part in zip(*slices, strict=True))
    data = np.round(data * (600 / np.percentile(data, 99.5))).clip(0, 2000).astype(np.int16)
    return Volume(data, pose.grid), _tips(atlas, pose, visible)


def simulate_cord(seed: int, atlas: Atlas, spec: VolumeSpec) -> Volume:
    """Segment the cord of what `simulate_volume` makes of these arguments: uint8, 1 in the cord."""
    pose = _pose(np.random.default_rng(seed), spec)
    cord = TISSUES.index("cord")
    planes = np.stack([sample_spine(atlas, pose.s_mm, pose.u_mm, x_mm)[0] for x_mm in pose.lateral_mm()])
    end_cord(planes, pose.s_mm, COMMON.conus_mm)
    return Volume((planes[..., cord] >= 0.5).astype(np.uint8), pose.grid)


def _pose(rng: np.random.Generator, spec: VolumeSpec) -> _Pose:
    body = random_shape(rng)
    family, means = random_contrast(rng, spec.family)
    n, height, width = spec.shape
    step_mm, row_mm, col_mm = spec.zooms_mm
    centre_mm = body.to_plane(np.array(spec.centre_s_mm), np.array(12.0))
    origin_mm = centre_mm - (height * row_mm / 2, width * col_mm * 0.5)
    rows_mm, cols_mm = np.arange(height) * row_mm, np.arange(width) * col_mm
    s_mm, u_mm = body.to_cord(np.stack(np.meshgrid(rows_mm, cols_mm, indexing="ij"), -1) + origin_mm)
    along_mm = s_mm - spec.centre_s_mm
    drift_mm = rng.uniform(-2, 2) + spec.tilt * along_mm + spec.sway_mm * np.sin(2 * np.pi * along_mm / _SWAY_PERIOD_MM)
    slices_mm = (np.arange(n) - (n - 1) / 2) * step_mm
    return _Pose(
        body, family, means, origin_mm, s_mm, u_mm, drift_mm, slices_mm, Grid.sagittal(spec.shape, spec.zooms_mm)
    )


def _tips(atlas: Atlas, pose: _Pose, visible: np.ndarray) -> dict[int, np.ndarray]:
    """World position [mm] of every disc whose tip is inside of the grid and visible (N, H, W)."""
    step_mm, *pixel_mm = pose.grid.zooms_mm
    tips_rc = (pose.body.to_plane(LEVEL_MM, atlas.tip_u_mm) - pose.origin_mm) / pixel_mm
    slices = _at_tips(pose.drift_mm, tips_rc) / step_mm + (pose.grid.shape[0] - 1) / 2
    tips_ijk = np.column_stack([slices, tips_rc])
    seen = pose.grid.contains(tips_ijk)
    seen[seen] = visible[tuple(round_index(tips_ijk[seen]).T)]
    return {v: pose.grid.to_world(tips_ijk[v - 1]) for v in DISC_VALUES if seen[v - 1]}


def _at_tips(drift_mm: np.ndarray, tips_rc: np.ndarray) -> np.ndarray:
    """Left-right position of the mid-plane at each tip (nearest pixel; clipped to the image)."""
    row, col = (np.rint(tips_rc[:, axis]).astype(int).clip(0, drift_mm.shape[axis] - 1) for axis in (0, 1))
    return drift_mm[row, col]


def _slice(anatomy_seed, scanner_seed, atlas: Atlas, pose: _Pose, x_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scan a slice of a body: (H, W) image, and where it shows anything."""
    rng = np.random.default_rng(anatomy_seed)
    image = paint(rng, atlas, pose.s_mm, pose.u_mm, x_mm, pose.family, pose.means)
    return scan(np.random.default_rng(scanner_seed), image, float(pose.grid.zooms_mm[1]))
