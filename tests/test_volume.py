"""Reorientation of arrays, against the world position of every voxel."""

import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume, reorient


def places(volume: Volume) -> dict:
    """World position of every value, voxel by voxel."""
    return {volume.data[ijk]: np.round(volume.grid.affine @ (*ijk, 1), 6) for ijk in np.ndindex(volume.data.shape)}


@pytest.mark.parametrize("target", ["LIP", "RAS", "SRA"])
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_value_keeps_its_place(codes, target):
    """Moving the array and moving the grid agree on where each single value lies."""
    _, affine = SCANS["oblique"].stored(ORIENTATIONS[codes])
    data = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    start = Volume(data, Grid(data.shape, affine))
    moved = reorient(start, target)
    expected = places(start)
    assert moved.grid.axcodes == tuple(target)
    for value, xyz1_mm in places(moved).items():
        np.testing.assert_allclose(xyz1_mm, expected[value], atol=1e-5)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_reorienting_copies_nothing(codes):
    """The result is a view of the same memory."""
    shape, affine = SCANS["isotropic"].stored(ORIENTATIONS[codes])
    volume = Volume(np.zeros(shape), Grid(shape, affine))
    assert np.shares_memory(reorient(volume, "LIP").data, volume.data)


def test_data_must_fit_the_grid():
    """An array of another shape than the grid's is refused."""
    with pytest.raises(ValueError, match="does not fit"):
        Volume(np.zeros((2, 3, 4)), Grid((2, 4, 3), np.eye(4)))
