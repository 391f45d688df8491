"""Curved reformation: the spine into one plane, and every point back to its own place."""

import numpy as np
import pytest

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.reformation import reform
from deepspine_sct.image.volume import Volume, reorient

SHAPE = (40, 50, 12)  # left-right, rows, columns
ZOOMS_MM = (1.5, 2.0, 3.0)


def sway_mm(row):
    """Left-right place of the spine in a row: an S of 12 mm."""
    return 12 * np.sin(np.asarray(row) / 8)


def scoliosis() -> tuple[Volume, np.ndarray]:
    """A bright, 6 mm wide spine on an oblique grid, and a point on it in every third row."""
    angle = np.deg2rad(15)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0],
                     [0, 0, 1]])  # fmt: skip
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[-1.5, 0, 0], [0, 0, -3.0], [0, -2.0, 0]])
    affine[:3, 3] = (20, -40, 60)
    grid = Grid(SHAPE, affine)
    across = np.arange(SHAPE[0])[:, None, None] - 20
    middle = sway_mm(np.arange(SHAPE[1]))[:, None] / ZOOMS_MM[0]
    data = np.broadcast_to(100.0 * (abs(across - middle) < 2), SHAPE)
    rows = np.arange(1, SHAPE[1], 3)
    ijk = np.column_stack([sway_mm(rows) / ZOOMS_MM[0] + 20, rows, np.full(len(rows), 5.0)])
    return Volume(data.astype(np.float32), grid), grid.to_world(ijk)


def test_the_spine_stands_in_the_middle_plane():
    """Bright in almost every row of the middle plane, where no plane of the scan is."""
    volume, points = scoliosis()
    straight = reform(volume, points)
    middle = straight.image.data[straight.image.grid.shape[0] // 2]
    assert (middle > 50).mean() > 0.9
    assert (volume.data > 50).mean(axis=(1, 2)).max() < 0.5
    assert straight.image.grid.axcodes == ("L", "I", "P")


@pytest.mark.parametrize("axcodes", [("L", "I", "P"), ("R", "A", "S"), ("S", "L", "A")])
def test_points_go_there_and_back(axcodes):
    """To a thousandth of a millimetre, anywhere in the scan, however its axes run."""
    volume, points = scoliosis()
    straight = reform(reorient(volume, axcodes), points)
    anywhere = volume.grid.to_world(np.random.default_rng(0).uniform(0, SHAPE, (50, 3)))
    there = straight.from_scan(anywhere)
    assert np.abs(straight.to_scan(there) - anywhere).max() < 1e-3
    assert np.abs(there - anywhere).max() > 5


def test_a_point_keeps_its_intensity():
    """What the reformation shows at a point is what the scan holds at the point's own place."""
    volume, points = scoliosis()
    noise = np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32)
    straight = reform(Volume(noise, volume.grid), points)
    n, n_rows, n_columns = straight.image.grid.shape
    # Voxel centres in row and column, so that only the left-right interpolation is at work.
    ijk = np.array([(k, r, c) for k in range(5, n - 5) for r in (3, 20, 41) for c in (0, 7)], float)
    in_scan = volume.grid.to_index(straight.to_scan(straight.image.grid.to_world(ijk)))
    inside = (in_scan[:, 0] > 0) & (in_scan[:, 0] < SHAPE[0] - 1)
    low = np.floor(in_scan[:, 0]).astype(int)
    share = in_scan[:, 0] - low
    row, column = np.rint(in_scan[:, 1:]).astype(int).T
    last = np.minimum(low + 1, SHAPE[0] - 1)
    low = np.clip(low, 0, SHAPE[0] - 1)
    expected = noise[low, row, column] * (1 - share) + noise[last, row, column] * share
    shown = straight.image.data[tuple(ijk.astype(int).T)]
    assert inside.sum() > 50
    assert np.allclose(shown[inside], expected[inside], atol=1e-4)


def test_one_point_or_one_slice_is_enough():
    """The curve is then straight, and the image is shown as it is."""
    volume, points = scoliosis()
    thin = Volume(volume.data[:1], Grid((1, *SHAPE[1:]), volume.grid.affine))
    straight = reform(thin, points[:1])
    assert np.array_equal(straight.image.data, np.broadcast_to(thin.data, straight.image.data.shape))
    assert np.abs(straight.to_scan(straight.from_scan(points)) - points).max() < 1e-6
