"""The picture of a scan: which slice it shows, and where its pixels lie."""

import io

import numpy as np
import pytest
from fake_predictor import known_discs
from PIL import Image

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.model.output import Prediction
from deepspine_sct.quality_control.plane import draw_plane, plane_through
from deepspine_sct.quality_control.slice_pictures import LONGEST_PX, THUMBNAIL_PX, draw_pictures


def make_volume(shape=(21, 60, 40), zooms_mm=(2.0, 1.0, 1.5), seed=0) -> Volume:
    """Make noise on a grid in (L, I, P)."""
    affine = np.diag([-zooms_mm[0], -zooms_mm[2], -zooms_mm[1], 1.0])
    affine[:3, :3] = np.array([[-1, 0, 0], [0, 0, -1], [0, -1, 0]]) * np.array(zooms_mm)
    affine[:3, 3] = (10, 20, 30)
    data = np.random.default_rng(seed).normal(100, 30, shape).astype(np.float32)
    return Volume(data, Grid(shape, affine))


@pytest.mark.parametrize("axcodes", [("L", "I", "P"), ("R", "A", "S"), ("P", "S", "R"), ("I", "A", "L")])
def test_a_straight_spine_is_shown_in_one_flat_slice(axcodes):
    """The median slice of its discs, in every orientation of the file; 4 mm of 2 mm slices is one slice."""
    upright = make_volume()
    volume = reorient(upright, axcodes)
    points = upright.grid.to_world(np.array([[7, 10, 20], [8, 20, 21], [8, 30, 22], [9, 40, 22.0]]))
    plane = plane_through(volume, points)
    assert plane.slices.tolist() == [8.0]
    shown = draw_plane(volume, plane).astype(float)
    expected = upright.data[8]
    assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.99
    low, high = np.percentile(expected, (1, 99.5))
    assert np.abs(shown - np.clip((expected - low) / (high - low), 0, 1) * 255).max() <= 1


def test_the_plane_follows_a_scoliosis():
    """Every row is taken from the slice of the spine there, as a brute-force interpolation has it."""
    volume = make_volume(zooms_mm=(5.0, 1.0, 1.5))
    ijk = np.array([[4, 5, 20], [9, 20, 20], [14, 35, 20], [16, 50, 20.0]])
    plane = plane_through(volume, volume.grid.to_world(ijk))
    assert len(plane.rows) == 4
    rows = np.arange(60)
    slices = np.interp(rows, plane.rows, plane.slices)
    assert np.abs(slices[[5, 20, 35, 50]] - ijk[:, 0]).max() < 2  # each is averaged with its neighbours
    expected = np.stack(
        [
            (1 - at % 1) * volume.data[int(at), row] + at % 1 * volume.data[min(int(at) + 1, 20), row]
            for row, at in zip(rows, slices, strict=True)
        ]
    )
    low, high = np.percentile(expected, (1, 99.5))
    expected = np.clip((expected - low) / (high - low), 0, 1) * 255
    assert np.abs(draw_plane(volume, plane) - expected).max() <= 1.1


def test_slices_are_averaged_over_four_millimetres():
    """Five slices of 0.8 mm; two more at the border of the scan are repeated."""
    volume = make_volume(zooms_mm=(0.8, 1.0, 1.5))
    plane = plane_through(volume, volume.grid.to_world(np.array([[10.0, 20, 20], [10, 30, 20]])))
    expected = volume.data[8:13].sum(axis=0)
    assert np.corrcoef(draw_plane(volume, plane).ravel(), expected.ravel())[0, 1] > 0.98


def test_without_a_disc_the_middle_slice_is_shown():
    """Also where the scan has one slice only, or shows nothing."""
    assert plane_through(make_volume(), np.empty((0, 3))).slices.tolist() == [10.0]
    single = make_volume((1, 30, 20))
    assert draw_plane(single, plane_through(single, np.empty((0, 3)))).shape == (30, 20)
    flat = Volume(np.full((3, 30, 20), 7, np.int16), make_volume((3, 30, 20)).grid)
    assert draw_plane(flat, plane_through(flat, np.empty((0, 3)))).max() == 0


def test_a_disc_beside_the_scan_does_not_lead_the_plane_out():
    """Its slice is that of the border."""
    volume = make_volume(zooms_mm=(5.0, 1.0, 1.5))
    points = volume.grid.to_world(np.array([[-6.0, 10, 20], [10, 30, 20], [30, 50, 20]]))
    plane = plane_through(volume, points)
    assert plane.slices.min() >= 0 and plane.slices.max() <= 20
    assert draw_plane(volume, plane).shape == (60, 40)


def opened(picture) -> np.ndarray:
    """Read a picture file."""
    return np.asarray(Image.open(io.BytesIO(picture.content)))


def test_the_pictures_are_the_plane_and_a_small_one():
    """The slice pixel by pixel; of a large scan no more pixels than a screen shows, over the same box."""
    volume = make_volume()
    plane = plane_through(volume, np.empty((0, 3)))
    pictures = draw_pictures(volume, plane)
    assert set(pictures) == {"slice", "thumb"}
    assert np.array_equal(opened(pictures["slice"]), draw_plane(volume, plane))
    assert pictures["slice"].box == pictures["thumb"].box == (-0.5, -0.5, 60.0, 40.0)
    assert opened(pictures["thumb"]).shape == (60, 60)  # 60 mm x 60 mm
    large = make_volume((1, 3000, 900), (2.0, 0.5, 0.5))
    pictures = draw_pictures(large, plane_through(large, np.empty((0, 3))))
    assert opened(pictures["slice"]).shape == (LONGEST_PX, 360)
    assert opened(pictures["thumb"]).shape == (THUMBNAIL_PX, 96)
    assert pictures["slice"].box == (-0.5, -0.5, 3000.0, 900.0)


def test_layers_lie_where_the_network_looked():
    """A single bright pixel of the map is opaque there alone, and its box covers the voxels that it was made of."""
    volume = make_volume((9, 60, 40), (2.0, 1.0, 1.5))
    seen = volume.grid.resampled((3, 15, 20), (6.0, 4.0, 3.0))
    attention = np.full((3, 15, 20), 0.2, np.float32)
    attention[1, 4, 13] = 0.9
    prediction = Prediction(np.zeros((3, 25, 15, 20), np.float32), attention, attention, seen)
    pictures = draw_pictures(volume, plane_through(volume, np.empty((0, 3))), prediction)
    alpha = opened(pictures["attention"])[..., 3]
    assert np.unravel_index(alpha.argmax(), alpha.shape) == (4, 13)
    assert (alpha > 0).sum() == 1
    assert np.allclose(pictures["attention"].box, (-0.5, -0.5, 60, 40))
    assert "from 0.20 to 0.90" in pictures["attention"].caption


def test_a_network_without_attention_has_no_such_layer():
    """Its map is one everywhere, which would show nothing."""
    volume = make_volume((9, 60, 40))
    ones = np.ones((9, 60, 40), np.float32)
    prediction = Prediction(np.zeros((9, 25, 60, 40), np.float32), ones, ones, volume.grid)
    assert set(draw_pictures(volume, plane_through(volume, np.empty((0, 3))), prediction)) == {
        "slice", "thumb", "heatmaps",
    }  # fmt: skip


def test_the_plane_in_json_leads_to_the_world():
    """The affine that the page reads is that of the scan in (L, I, P)."""
    volume = reorient(make_volume(), ("R", "A", "S"))
    plane = plane_through(volume, np.array([disc.xyz_mm for disc in known_discs()][:0]).reshape(-1, 3))
    content = plane.to_json()
    index = np.array([3, 17, 22])
    expected = make_volume().grid.to_world(index)
    assert np.allclose(np.array(content["affine"]) @ [*index, 1], expected, atol=1e-4)
    assert content["pixel_mm"] == [1.0, 1.5] and content["shape"] == [21, 60, 40]
