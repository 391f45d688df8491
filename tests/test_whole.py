"""A file that is whole is told from one that is not, however it was packed."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.image.whole import is_whole_image


@pytest.fixture
def image(tmp_path):
    """Write an image that gzip cannot make much smaller."""
    data = np.random.default_rng(0).integers(0, 255, (20, 21, 22), dtype=np.uint8)
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "x.nii")
    return tmp_path / "x.nii"


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_is_noticed(image, packed):
    """Wherever it is, down to the last byte; also zeros in the place of the end, and a file that is not there."""
    path = image.with_suffix(".nii.gz") if packed else image
    whole = gzip.compress(image.read_bytes()) if packed else image.read_bytes()
    path.write_bytes(whole)
    assert is_whole_image(path)
    for n_bytes in (0, 1, 100, 400, len(whole) // 2, len(whole) - 4, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        assert not is_whole_image(path), n_bytes
        if packed and n_bytes <= len(whole) - 4:  # the last bytes are zeros anyway
            path.write_bytes(whole[:n_bytes].ljust(len(whole), b"\0"))
            assert not is_whole_image(path), n_bytes
    path.unlink()
    assert not is_whole_image(path)


def test_a_file_that_was_packed_in_pieces_or_goes_on_after_the_voxels_is_whole(image):
    """As some programs write it: what gzip notes at the end is then not the size of the image."""
    path, content = image.with_suffix(".nii.gz"), image.read_bytes()
    pieces = b"".join(gzip.compress(content[start : start + 1000]) for start in range(0, len(content), 1000))
    for whole in (pieces, gzip.compress(content + b"more")):
        path.write_bytes(whole)
        assert is_whole_image(path)
        path.write_bytes(whole[: len(whole) // 2])
        assert not is_whole_image(path)


def test_a_file_of_another_kind_is_no_whole_image(image):
    """Text, and a gzip file with something else in it."""
    path = image.with_suffix(".nii.gz")
    for content in (b"text", gzip.compress(b"text" * 200)):
        path.write_bytes(content)
        assert not is_whole_image(path)
