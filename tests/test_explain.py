"""Maps on the input's grid: every value at its place in the world, in every orientation."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS

from deepspine_sct.evaluation.explain import explanation, on_grid, render_map, write_explanation
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.slab import extract_slabs, pad_to_multiple
from deepspine_sct.image.volume import Volume
from deepspine_sct.model.output import Prediction


def predicted(grid: Grid) -> Prediction:
    """What a network with stride 2 would answer: a ramp in world mm, on the grid of its pixels."""
    volume = Volume(np.zeros(grid.shape, np.float32), grid)
    slabs = pad_to_multiple(extract_slabs(canonical(volume), 4.0, 5.0, 2.0), 16)
    shape = (len(slabs.data), *(n // 2 for n in slabs.data.shape[1:]))
    small = slabs.grid.resampled(shape, slabs.grid.zooms_mm * slabs.grid.shape / shape)
    world = small.to_world(np.moveaxis(np.indices(shape), 0, -1))
    ramp = (world @ (0.3, -0.2, 0.5)).astype(np.float32)
    heatmaps = np.stack([ramp * 0 + 0.25, ramp * 0 + 0.5], axis=1)
    return Prediction(heatmaps, ramp, ramp, small)


@pytest.mark.parametrize("name", SCANS)
def test_a_ramp_in_the_world_is_the_same_ramp_on_the_input(name):
    """Away from the border, linear stays linear: one formula before and after, 48 orientations."""
    for orientation in ORIENTATIONS.values():
        shape, affine = SCANS[name].stored(orientation)
        grid = Grid(shape, affine)
        prediction = predicted(grid)
        shown = on_grid(explanation(prediction, "attention"), prediction.grid, grid)
        assert shown.grid is grid and shown.data.dtype == np.float32
        ijk = np.moveaxis(np.indices(shape), 0, -1)
        inner = prediction.grid.to_index(grid.to_world(ijk))
        last = np.array(prediction.grid.shape) - 1
        inside = ((inner >= 0) & (inner <= last + 1e-9)).all(axis=-1)
        expected = grid.to_world(ijk) @ (0.3, -0.2, 0.5)
        assert inside.any()
        np.testing.assert_allclose(shown.data[inside], expected[inside], atol=2e-3)


def test_outside_of_the_slabs_there_is_nothing():
    """Zero beyond half a pixel of what the network saw."""
    shape, affine = SCANS["isotropic"].stored(ORIENTATIONS["LIP"])
    prediction = predicted(Grid(shape, affine))
    wider = Grid((shape[0] + 40, *shape[1:]), affine)
    shown = on_grid(np.ones_like(prediction.attention), prediction.grid, wider)
    at = prediction.grid.to_index(wider.to_world(np.moveaxis(np.indices(wider.shape), 0, -1)))
    edge = np.array(prediction.grid.shape) - 0.5
    inside = ((at >= -0.5) & (at <= edge)).all(axis=-1)
    np.testing.assert_allclose(shown.data, inside, atol=1e-6)


def test_heatmaps_are_summed_to_the_probability_of_any_disc():
    """The sum over the discs, at most 1."""
    shape, affine = SCANS["isotropic"].stored(ORIENTATIONS["RAS"])
    prediction = predicted(Grid(shape, affine))
    assert np.all(explanation(prediction, "heatmaps") == 0.75)
    twice = replace(prediction, heatmaps=2 * prediction.heatmaps)
    assert np.all(explanation(twice, "heatmaps") == 1)


def test_a_turned_grid_is_refused():
    """Slabs of one scan do not fit another one that lies otherwise."""
    one, two = (SCANS[name].stored(ORIENTATIONS["RAS"]) for name in ("isotropic", "oblique"))
    prediction = predicted(Grid(*one))
    with pytest.raises(ValueError, match="different directions"):
        on_grid(prediction.attention, prediction.grid, Grid(*two))


def test_the_files_have_the_grid_of_the_input(tmp_path):
    """NIfTI with shape and affine of the image, and a PNG beside it."""
    shape, affine = SCANS["oblique"].stored(ORIENTATIONS["PSR"])
    image = Volume(np.random.default_rng(0).normal(size=shape).astype(np.float32), Grid(shape, affine))
    nifti, png = tmp_path / "a.nii.gz", tmp_path / "a.png"
    write_explanation(nifti, png, image, predicted(image.grid), "heatmaps", [])
    written = nib.load(nifti)
    assert written.shape == shape
    np.testing.assert_allclose(written.affine, affine, atol=1e-5)
    assert png.read_bytes()[:4] == b"\x89PNG"


def test_an_empty_map_can_be_drawn():
    """Nothing seen, and no disc, is still a picture."""
    shape, affine = SCANS["isotropic"].stored(ORIENTATIONS["RAS"])
    image = Volume(np.random.default_rng(0).normal(size=shape), Grid(shape, affine))
    empty = Volume(np.zeros(shape), image.grid)
    assert render_map(image, empty, np.empty((0, 3)))[:4] == b"\x89PNG"
