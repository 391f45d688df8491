"""NIfTI -> identity network -> NIfTI: every disc returns to its own voxel, for every geometry."""

from itertools import product

import nibabel as nib
import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS

from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume, write_discs
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.slab import extract_slabs, pad_to_multiple

SPACING_MM = 2.0
SIGMA_MM = 3.0


@pytest.fixture(params=product(SCANS, ORIENTATIONS), ids="-".join)
def stored(request):
    """Shape and affine of one of six scans in one of 48 orientations."""
    name, codes = request.param
    return SCANS[name].stored(ORIENTATIONS[codes])


def paint_discs(shape, seed):
    """Array with the values 1 to 25 on 25 voxels, no two the same, corners among them."""
    rng = np.random.default_rng(seed)
    last = np.prod(shape) - 1
    elsewhere = 1 + rng.choice(last - 1, 23, replace=False)
    data = np.zeros(last + 1, dtype=np.uint8)
    data[rng.permutation([0, last, *elsewhere])] = np.arange(1, 26)
    return data.reshape(shape)


def test_every_disc_returns_to_its_own_voxel(tmp_path, stored):
    """Discs painted by hand, taken to slab pixels and back, fill the same voxels of a like file."""
    shape, affine = stored
    painted = paint_discs(shape, seed=shape[0])
    truth, output = tmp_path / "truth.nii.gz", tmp_path / "output.nii.gz"
    nib.save(nib.Nifti1Image(painted, affine), truth)

    volume = read_volume(truth)
    slabs = pad_to_multiple(extract_slabs(canonical(volume), 4.0, 4.0, SPACING_MM))
    seen_by_network = {v: slabs.grid.to_index(xyz_mm) for v, xyz_mm in read_labels(truth).items()}
    returned = {v: slabs.grid.to_world(nrc) for v, nrc in seen_by_network.items()}
    write_discs(output, volume.grid, returned, like=truth)

    image = nib.load(output)
    np.testing.assert_array_equal(np.asarray(image.dataobj), painted)
    np.testing.assert_allclose(image.affine, nib.load(truth).affine, atol=1e-5)
    # A float32 quaternion is exact to 3e-4 rad only where the rotation is half a turn.
    np.testing.assert_allclose(image.get_qform(), image.affine, atol=5e-3)


def test_blob_appears_where_the_grid_says(tmp_path, stored):
    """A blob in a file shows in the slab and at the pixel that the grid predicts from its world
    position: the array path and the affine path know nothing of each other."""
    shape, affine = stored
    voxel = np.array(shape) * 5 // 8
    centre_mm = nib.affines.apply_affine(affine, voxel)
    places_mm = nib.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
    distance_mm = np.linalg.norm(places_mm - centre_mm, axis=-1)
    blob = np.exp(-0.5 * (distance_mm / SIGMA_MM) ** 2).astype(np.float32)
    path = tmp_path / "blob.nii"
    nib.save(nib.Nifti1Image(blob, affine), path)

    slabs = pad_to_multiple(extract_slabs(canonical(read_volume(path)), 2.0, 2.0, SPACING_MM))
    predicted_nrc = slabs.grid.to_index(centre_mm)
    slab_index = round(predicted_nrc[0])
    brightness = slabs.data.sum(axis=(1, 2), dtype=np.float64)
    slab = slabs.data[slab_index].astype(np.float64)
    centroid_rc = (np.indices(slab.shape) * slab).sum(axis=(1, 2)) / slab.sum()
    np.testing.assert_allclose(centroid_rc, predicted_nrc[1:], atol=0.02)
    assert brightness[slab_index] > 0.999 * brightness.max()
