"""The map between voxel indices and the world."""

from itertools import product

import nibabel as nib
import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS, rotation
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.image.grid import CANONICAL, Grid, round_index

degrees = st.floats(-180, 180)


@pytest.fixture(params=SCANS.values(), ids=SCANS)
def scan(request):
    """One kind of scan."""
    return request.param


def test_world_is_what_nibabel_says(scan):
    """Each voxel has the world position that nibabel computes, and comes back to its index."""
    for orientation in ORIENTATIONS.values():
        grid = Grid(*scan.stored(orientation))
        ijk = np.moveaxis(np.indices(grid.shape), 0, -1)
        xyz_mm = grid.to_world(ijk)
        np.testing.assert_allclose(xyz_mm, nib.affines.apply_affine(grid.affine, ijk), atol=1e-9)
        np.testing.assert_allclose(grid.to_index(xyz_mm), ijk, atol=1e-9)


def test_points_keep_their_shape():
    """One point, a list and an array of points are all mapped along their last axis."""
    grid = Grid((2, 3, 4), np.diag([2.0, 3.0, 4.0, 1.0]))
    assert grid.to_world((1, 1, 1)).tolist() == [2, 3, 4]
    assert grid.to_world(np.ones((2, 5, 3))).shape == (2, 5, 3)
    assert grid.to_index(np.ones((2, 5, 3))).shape == (2, 5, 3)
    assert grid.contains(np.ones((2, 5, 3))).shape == (2, 5)


def test_axcodes_and_zooms_are_nibabels(scan):
    """Axis codes and voxel sizes agree with nibabel in all orientations, oblique ones included."""
    for orientation in ORIENTATIONS.values():
        grid = Grid(*scan.stored(orientation))
        assert grid.axcodes == nib.aff2axcodes(grid.affine)
        np.testing.assert_allclose(grid.zooms_mm, nib.affines.voxel_sizes(grid.affine))


@pytest.mark.parametrize("angles_deg", [(45, 0, 0), (0, 45, 0), (0, 0, 45), (45, 45, 0), (0, 45, 45)])
def test_a_tilt_of_exactly_45_degrees_can_be_reoriented(angles_deg):
    """Where two orientations are equally near, every reordering of the axes keeps the choice."""
    for orientation, zooms in product(ORIENTATIONS.values(), [(1, 1, 1), (1.3, 0.7, 0.9)]):
        linear = rotation(*angles_deg) @ np.diag(zooms) @ orientation
        grid = Grid((2, 3, 4), np.block([[linear, np.ones((3, 1))], [np.eye(4)[3]]]))
        upright = grid.reoriented(CANONICAL)
        assert upright.axcodes == CANONICAL
        corner_xyz = grid.to_world((0, 0, 0))
        assert upright.contains(upright.to_index(corner_xyz))
        np.testing.assert_allclose(upright.reoriented(grid.axcodes).affine, grid.affine, atol=1e-9)


@given(st.tuples(degrees, degrees, degrees))
def test_axcodes_are_the_nearest_of_all_48(angles_deg):
    """However oblique, the named directions are the orientation nearest to the axes, by search."""
    grid = Grid((2, 3, 4), np.block([[rotation(*angles_deg), np.ones((3, 1))], [np.eye(4)[3]]]))
    overlap = {"".join(codes): np.trace(matrix.T @ grid.affine[:3, :3]) for codes, matrix in ORIENTATIONS.items()}
    assert overlap["".join(grid.axcodes)] >= max(overlap.values()) - 1e-12


@given(st.tuples(degrees, degrees, degrees))
def test_rotation_is_never_named_a_reflection(angles_deg):
    """A right-handed scan gets right-handed axis codes, even at 45 degrees."""
    grid = Grid((2, 3, 4), np.block([[rotation(*angles_deg), np.ones((3, 1))], [np.eye(4)[3]]]))
    assert np.linalg.det(ORIENTATIONS["".join(grid.axcodes)]) > 0


def test_reoriented_moves_no_voxel(scan):
    """From any orientation to any other, the same voxels lie at the same places."""
    for start, target in zip(ORIENTATIONS, reversed(ORIENTATIONS), strict=True):
        grid = Grid(*scan.stored(ORIENTATIONS[start]))
        moved = grid.reoriented(target)
        assert moved.axcodes == tuple(target)
        ends_ijk = [[0, n - 1] for n in grid.shape]
        corners_mm = grid.to_world(list(product(*ends_ijk)))
        corners_ijk = round_index(moved.to_index(corners_mm))
        assert {tuple(c) for c in corners_ijk} == set(product(*[[0, n - 1] for n in moved.shape]))
        np.testing.assert_allclose(moved.to_world(corners_ijk), corners_mm, atol=1e-9)


def test_reoriented_back_is_the_same_grid(scan):
    """A round trip through the canonical orientation restores shape and affine."""
    for codes, orientation in ORIENTATIONS.items():
        grid = Grid(*scan.stored(orientation))
        back = grid.reoriented(CANONICAL).reoriented(codes)
        assert back.shape == grid.shape
        np.testing.assert_allclose(back.affine, grid.affine, atol=1e-9)


@pytest.mark.parametrize("wrong", ["RAR", "RA", "RASI", "XYZ", "ras", ""])
def test_axis_codes_must_name_each_axis(wrong):
    """Codes that leave an axis out, repeat one or do not exist are refused."""
    with pytest.raises(ValueError, match="axis codes"):
        Grid((2, 3, 4), np.eye(4)).reoriented(wrong)


@given(st.lists(st.floats(-3, 6), min_size=3, max_size=3))
def test_contains_is_having_a_voxel(ijk):
    """An index is inside exactly when it rounds to one of the voxels."""
    grid = Grid((2, 3, 4), np.eye(4))
    assert grid.contains(ijk) == (tuple(round_index(ijk)) in set(np.ndindex(2, 3, 4)))


def test_border_belongs_to_the_upper_voxel():
    """The lower face of the grid is inside and the upper face is not, as in rounding."""
    grid = Grid((2, 3, 4), np.eye(4))
    assert grid.contains([[-0.5, 0, 0], [0, -0.5, 0], [0, 0, -0.5]]).all()
    assert not grid.contains([[1.5, 0, 0], [0, 2.5, 0], [0, 0, 3.5]]).any()


def test_contains_takes_no_nan():
    """An undefined point is not inside."""
    grid = Grid((2, 3, 4), np.eye(4))
    assert grid.contains([[0, np.nan, 0], [0, 0, 0]]).tolist() == [False, True]


def test_halves_round_upwards_everywhere():
    """The border between two voxels belongs to the upper one, whatever its parity."""
    assert round_index([-0.5, 0.5, 1.5, 2.5, 1.49]).tolist() == [0, 1, 2, 3, 1]


@pytest.mark.parametrize("tilt_deg", [(0, 0, 0), (20, -30, 40)])
def test_resampled_keeps_centre_and_directions(tilt_deg):
    """A new lattice has the wanted voxel size, and its centre is the old centre."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(*tilt_deg) @ np.diag([0.9, 1.1, 4])
    grid = Grid((5, 6, 7), affine)
    other = grid.resampled((3, 8, 2), (2, 2.5, 9))
    np.testing.assert_allclose(other.zooms_mm, (2, 2.5, 9))
    centres_mm = other.to_world((1, 3.5, 0.5)), grid.to_world((2, 2.5, 3))
    np.testing.assert_allclose(*centres_mm, atol=1e-12)
    cosines = np.sum(grid.affine[:3, :3] * other.affine[:3, :3], axis=0)
    np.testing.assert_allclose(cosines, grid.zooms_mm * other.zooms_mm)


def test_resampled_by_whole_numbers_follows_the_pixel_rule():
    """Downsampling by s puts sample i at s * i + (s - 1) / 2."""
    grid = Grid((4, 6, 8), np.eye(4)).resampled((2, 2, 2), (2, 3, 4))
    assert grid.to_world((0, 0, 0)).tolist() == [0.5, 1.0, 1.5]
    assert grid.to_world((1, 1, 1)).tolist() == [2.5, 4.0, 5.5]


def test_affine_is_a_copy_that_cannot_be_changed():
    """Changing the array that a grid was made from, or the grid's own, is not possible."""
    affine = np.eye(4)
    grid = Grid((2, 3, 4), affine)
    affine[0, 0] = 5
    assert grid.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 5


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 0), (2, -3, 4), (1, 2, 3, 4)])
def test_shape_must_be_three_positive_numbers(shape):
    """A grid without voxels or with another number of axes is refused."""
    with pytest.raises(ValueError, match="three positive"):
        Grid(shape, np.eye(4))


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(3),
        np.ones((4, 4)),
        np.diag([1, 1, 0, 1]),
        np.diag([1, np.nan, 1, 1]),
        np.diag([1, np.inf, 1, 1]),
        np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        np.array([[1, 1, 0, 0], [0, 1e-9, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
    ],
    ids=["3x3", "last row", "zero size", "nan", "infinite", "parallel", "almost parallel"],
)
def test_affine_must_be_invertible(affine):
    """An affine that cannot be undone is refused, without a warning."""
    with pytest.raises(ValueError, match="affine"):
        Grid((2, 3, 4), affine)


def test_microscopic_voxels_are_no_singular_affine():
    """Small voxels are judged by their directions, not by their volume."""
    assert Grid((2, 3, 4), np.diag([1e-4, 1e-4, 1e-4, 1])).zooms_mm.tolist() == [1e-4] * 3
