"""Images go back from a straight spine into the scan as points do."""

from types import SimpleNamespace

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.reformation import reform
from deepspine_sct.image.straight import bring_back
from deepspine_sct.image.volume import Volume

SCAN = Grid((9, 14, 11), np.array([[-2.0, 0, 0, 9], [0, 0, 1.5, -4], [0, -3, 0, 20], [0, 0, 0, 1]]))


def test_every_voxel_shows_what_lies_at_its_place_in_the_straight_image():
    """Against scipy's grid interpolator; zero beside the straight image and without a way."""
    rng = np.random.default_rng(0)
    grid = Grid((7, 12, 8), np.diag([1.7, 2.0, 2.2, 1.0]))
    shown = Volume(rng.uniform(1, 2, grid.shape).astype(np.float32), grid)

    def from_scan(points_xyz):
        there = points_xyz + np.column_stack([3 * np.sin(points_xyz[:, 2] / 9), points_xyz[:, :2] * 0])
        there[points_xyz[:, 2] < -5] = np.nan
        return there

    back = bring_back(shown, SimpleNamespace(image=shown, from_scan=from_scan), SCAN)
    assert back.data.dtype == np.float32 and back.grid is SCAN
    padded = np.pad(shown.data, 1, mode="edge")  # the outer half of the outermost voxels
    axes = [np.arange(-1, n + 1) * mm for n, mm in zip(grid.shape, (1.7, 2.0, 2.2), strict=True)]
    look = RegularGridInterpolator(axes, padded, bounds_error=False, fill_value=0)
    ijk = np.indices(SCAN.shape).reshape(3, -1).T
    world = ijk @ SCAN.affine[:3, :3].T + SCAN.affine[:3, 3]
    there = np.nan_to_num(from_scan(world), nan=-99)
    ends = np.array(grid.shape) - 0.5
    inside = ((there / (1.7, 2.0, 2.2) >= -0.5) & (there / (1.7, 2.0, 2.2) <= ends)).all(axis=1)
    expected = np.where(inside, look(there), 0)
    assert (expected > 0).sum() > 100 and (expected == 0).sum() > 100
    assert np.allclose(back.data.ravel(), expected, atol=1e-5)


def test_a_reformation_and_back_is_the_scan():
    """Whole-voxel slides lose nothing: inside of the reformation the scan comes back."""
    rng = np.random.default_rng(1)
    affine = np.array([[-2.0, 0, 0, 9], [0, 0, -1.5, 4], [0, -3, 0, 20], [0, 0, 0, 1]])
    scan = Volume(rng.uniform(1, 2, (41, 14, 11)).astype(np.float32), Grid((41, 14, 11), affine))
    straight = reform(scan, scan.grid.to_world(np.array([[14.0, 0, 5], [14.0, 13, 5]])))
    back = bring_back(straight.image, straight, scan.grid)
    assert np.allclose(back.data[4:25], scan.data[4:25], atol=1e-5)
    assert (back.data[26:] == 0).all() and (back.data[:3] == 0).all()
