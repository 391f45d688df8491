"""Maps on the input's grid: every value at its place in the world, in every orientation."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import phantom
import pytest
from geometry_cases import ORIENTATIONS, SCANS
from test_validation import SpotRuntime

from deepspine_sct.cli.label import main as label
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.reformation import reform
from deepspine_sct.image.slab import extract_slabs, pad_to_multiple
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.output import Prediction
from deepspine_sct.pictures.network_maps import explanation, on_grid, render_map, write_explanation


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


@pytest.mark.parametrize("name", ["isotropic", "oblique"])
def test_what_was_seen_in_a_straight_image_is_written_where_the_scan_has_it(name, tmp_path):
    """A ramp along the height is the same one in the scan, slid back sideways with its rows."""
    shape, affine = SCANS[name].stored(ORIENTATIONS["PSR"])
    image = Volume(np.random.default_rng(0).normal(size=shape).astype(np.float32), Grid(shape, affine))
    upright = image.grid.reoriented(("L", "I", "P"))
    n, height, _ = upright.shape
    bend = upright.to_world(np.array([[n / 4, 0, 0], [3 * n / 4, height - 1, 0]]))
    straight = reform(image, bend)
    seen = predicted(straight.image.grid)
    write_explanation(tmp_path / "a.nii.gz", tmp_path / "a.png", image, seen, "attention", [], straight)
    written = nib.load(tmp_path / "a.nii.gz").get_fdata()
    ijk = np.moveaxis(np.indices(shape), 0, -1)
    there = straight.from_scan(image.grid.to_world(ijk).reshape(-1, 3)).reshape(*shape, 3)
    at = seen.grid.to_index(there)
    inside = ((at >= 0) & (at <= np.array(seen.grid.shape) - 1)).all(axis=-1)
    assert inside.mean() > 0.2
    np.testing.assert_allclose(written[inside], there[inside] @ (0.3, -0.2, 0.5), atol=2e-2)


def test_an_empty_map_can_be_drawn():
    """Nothing seen, and no disc, is still a picture."""
    shape, affine = SCANS["isotropic"].stored(ORIENTATIONS["RAS"])
    image = Volume(np.random.default_rng(0).normal(size=shape), Grid(shape, affine))
    empty = Volume(np.zeros(shape), image.grid)
    assert render_map(image, empty, np.empty((0, 3)))[:4] == b"\x89PNG"


class KnowsThePhantom:
    """A predictor whose network knows where the phantom's discs are."""

    checksum = "0" * 64

    def predict(self, volume, **request):
        """Answer on slabs of the whole volume, whatever is asked for."""
        slabs = extract_slabs(canonical(volume), 4.0, 5.0, 2.0)
        return Predictor(SpotRuntime()).predict_slabs(slabs)


def test_the_command_writes_what_the_network_saw_on_the_grid_of_the_scan(tmp_path, monkeypatch, capsys):
    """Heatmaps are bright at every disc's own voxel and dark elsewhere; pictures lie beside."""
    scan = phantom.save(tmp_path / "t2.nii.gz", phantom.image(phantom.discs()))
    monkeypatch.setattr("deepspine_sct.cli.label.load_predictor", lambda request: KnowsThePhantom())
    files = {kind: tmp_path / f"{kind}.nii.gz" for kind in ("attention", "heatmaps")}
    options = [word for kind, path in files.items() for word in (f"-{kind}", str(path))]
    arguments = ["-i", str(scan), "-c", "t2", "-ofolder", str(tmp_path / "out"), *options]
    assert (
        label(
            [
                *arguments,
                "-v",
                "0",
            ]
        )
        == 0
    )
    image, heatmaps = nib.load(scan), nib.load(files["heatmaps"])
    assert heatmaps.shape == image.shape
    np.testing.assert_allclose(heatmaps.affine, image.affine)
    seen = heatmaps.get_fdata()
    for xyz_mm in phantom.discs().values():
        assert seen[phantom.voxel(xyz_mm)] > 0.8
    assert seen[0].max() < 0.1 and seen[:, 0].max() < 0.1
    assert nib.load(files["attention"]).get_fdata().max() == 1
    assert {path.name for path in tmp_path.glob("*.png")} == {"attention.png", "heatmaps.png"}
    assert "this network has no attention" in capsys.readouterr().err


def test_a_file_of_another_type_is_refused_before_the_network_runs(tmp_path, capsys):
    """-attention wants NIfTI; one line, exit 1."""
    scan = phantom.save(tmp_path / "t2.nii.gz", phantom.image(phantom.discs()))
    assert label(["-i", str(scan), "-c", "t2", "-attention", str(tmp_path / "a.png")]) == 1
    assert "a.png: unknown file type" in capsys.readouterr().err
