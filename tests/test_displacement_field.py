"""Displacement fields: read as ITK writes them, and followed exactly."""

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.displacement_field import Field, read_field
from deepspine_sct.image.grid import Grid

SHAPE = (5, 4, 6)
AFFINE = np.array([[-2, 0, 0.3, 9], [0.1, 1.5, 0, -4], [0, 0.2, 3, 12], [0, 0, 0, 1.0]])


def linear_mm(xyz):
    """A displacement that linear interpolation reproduces."""
    matrix = np.array([[0.1, -0.2, 0.05], [0, 0.3, 0.1], [-0.1, 0, 0.2]])
    return np.asarray(xyz) @ matrix.T + (1, -2, 3)


def make_field() -> Field:
    """Fill a field with `linear_mm`."""
    grid = Grid(SHAPE, AFFINE)
    ijk = np.moveaxis(np.indices(SHAPE), 0, -1)
    return Field(linear_mm(grid.to_world(ijk)).astype(np.float32), grid)


def write(path, vectors_ras, dtype=np.float64):
    """Write a field as SCT does, with nibabel alone."""
    vectors_lps = vectors_ras * (-1, -1, 1)
    image = nib.Nifti1Image(vectors_lps[:, :, :, None].astype(dtype), AFFINE)
    image.header.set_intent("vector")
    nib.save(image, path)
    return path


@settings(max_examples=50, deadline=None)
@given(st.tuples(*(st.floats(0, n - 1) for n in SHAPE)))
def test_a_linear_field_is_followed_exactly(ijk):
    """Anywhere between the voxels the displacement is the one of the place."""
    field = make_field()
    point = field.grid.to_world(np.array([ijk]))
    assert np.allclose(field.move(point), point + linear_mm(point), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["warp.nii", "warp.nii.gz"])
def test_a_file_is_read_in_our_world(tmp_path, name, dtype):
    """LPS in the file, RAS in memory; 100000 of either sign means undefined."""
    vectors = np.random.default_rng(0).normal(0, 9, (*SHAPE, 3))
    vectors[0, 0, 0] = 100000
    vectors[1, 2, 3] = -100000
    field = read_field(write(tmp_path / name, vectors, dtype))
    assert np.isnan(field.vectors_mm[0, 0, 0]).all() and np.isnan(field.vectors_mm[1, 2, 3]).all()
    vectors[0, 0, 0] = vectors[1, 2, 3] = np.nan
    assert np.allclose(field.vectors_mm, vectors, atol=1e-4, equal_nan=True)
    assert np.allclose(field.grid.affine, AFFINE) and field.grid.shape == SHAPE


def test_beside_an_undefined_voxel_the_defined_ones_decide():
    """Up to half of the weight may be missing; more, or outside of the field, and there is no way."""
    field = make_field()
    field.vectors_mm[2, 2, 2] = np.nan
    points = field.grid.to_world(np.array([(2.6, 2, 2), (2.4, 2, 2), (2, 2, 2), (-0.4, 1, 1), (-0.6, 1, 1), (9, 9, 9)]))
    moved = field.move(points)
    assert np.isfinite(moved).all(axis=1).tolist() == [True, False, False, True, False, False]
    (whole,) = field.grid.to_world(np.array([(3, 2, 2)]))
    assert np.allclose(moved[0] - points[0], linear_mm(whole), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 4, 4), np.float32), ((4, 4, 4, 1, 2), np.float32), ((4, 4, 4, 1, 3), np.int16)],
)
def test_another_image_is_no_field(tmp_path, shape, dtype):
    """Neither a plain image, nor two components, nor integers."""
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(DeepspineError, match="a.nii.gz: is not a displacement field"):
        read_field(tmp_path / "a.nii.gz")


def test_a_truncated_field_is_refused(tmp_path):
    """One line that names the file."""
    path = write(tmp_path / "warp.nii", np.zeros((*SHAPE, 3)))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DeepspineError, match="warp.nii: is too short"):
        read_field(path)
