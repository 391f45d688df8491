"""The voxels of a file, lazily and as floats, against nibabel."""

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_volume

SUFFIXES = [".nii", ".nii.gz"]


def save(path, data, slope=None, intercept=0.0, byte_order="<"):
    """Write a file with nibabel."""
    header = nib.Nifti1Header(endianness=byte_order)
    header.set_data_dtype(data.dtype)
    image = nib.Nifti1Image(data, np.diag([1, 2, 3, 1]), header)
    if slope is not None:
        image.header.set_slope_inter(slope, intercept)
    nib.save(image, path)
    return path


def noise(dtype, shape=(130, 67, 133)):
    """Integers in an asymmetric shape that takes more than one block to read."""
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_lazy_voxels_are_the_same(tmp_path, suffix, byte_order, dtype):
    """Whatever the type, the byte order and the compression; integers keep their type, floats are single."""
    path = save(tmp_path / f"a{suffix}", noise(dtype, (13, 7, 11)), byte_order=byte_order)
    lazy, eager = read_volume(path, lazy=True), read_volume(path)
    np.testing.assert_array_equal(lazy.data, nib.load(path).get_fdata())
    np.testing.assert_array_equal(eager.data, lazy.data)
    assert eager.data.dtype == np.float32
    assert lazy.data.dtype.newbyteorder("=") == (dtype if dtype[0] in "iu" else "f4")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("slope", "intercept"), [(0.5, 0), (1, 10), (3.0, -7)])
def test_scaled_integers_become_floats(tmp_path, suffix, slope, intercept):
    """Lazily or not, a slope or an intercept is applied."""
    path = save(tmp_path / f"a{suffix}", noise("i2", (3, 4, 5)), slope, intercept)
    volume = read_volume(path, lazy=True)
    assert volume.data.dtype == np.float32
    np.testing.assert_allclose(volume.data, nib.load(path).get_fdata(), rtol=1e-6)


def test_a_slope_of_one_is_none(tmp_path):
    """Many files say 1 and 0 instead of nothing: that is no reason to convert them."""
    assert read_volume(save(tmp_path / "a.nii", noise("i2", (3, 4, 5)), 1, 0), lazy=True).data.dtype == np.int16


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_constant_image_is_refused_a_single_other_voxel_is_not(tmp_path, suffix, lazy):
    """The last voxel of the last block counts."""
    data = np.full((130, 67, 133), 7, np.int16)
    with pytest.raises(DeepspineError, match="every voxel has the same value"):
        read_volume(save(tmp_path / f"a{suffix}", data), lazy=lazy)
    data[-1, -1, -1] = 8
    assert read_volume(save(tmp_path / f"a{suffix}", data), lazy=lazy).data.max() == 8


def test_more_than_one_block_arrives_in_order(tmp_path):
    """A compressed image of several blocks is put together as it was."""
    path = save(tmp_path / "a.nii.gz", noise("i2"))
    np.testing.assert_array_equal(read_volume(path, lazy=True).data, noise("i2"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_lazy_reading_refuses_what_reading_refuses(tmp_path, suffix):
    """A file that ends early is refused before anybody looks at a voxel that is not there."""
    path = save(tmp_path / f"a{suffix}", noise("i2", (30, 67, 33)))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DeepspineError, match="too short|truncated|ends before"):
        read_volume(path, lazy=True)


def test_a_mapped_file_cannot_be_written_through_the_volume(tmp_path):
    """The image on the disk is the user's."""
    volume = read_volume(save(tmp_path / "a.nii", noise("i2", (3, 4, 5))), lazy=True)
    with pytest.raises(ValueError, match="read-only"):
        volume.data[0, 0, 0] = 1
