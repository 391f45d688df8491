"""Sagittal slabs against a pixel-by-pixel calculation in the world."""

import tracemalloc

import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from deepspine_sct.image.grid import CANONICAL, Grid
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.slab import SlabStack, extract_slabs, pad_to_multiple
from deepspine_sct.image.volume import Volume


def scan(shape, zooms_mm, tilt_deg=(0, 0, 0), seed=0):
    """Random canonical volume, tilted in the world."""
    affine = np.eye(4)
    affine[:3, :3] = rotation(*tilt_deg) @ ORIENTATIONS["LIP"] @ np.diag(zooms_mm)
    affine[:3, 3] = (4, -20, 300)
    data = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return Volume(data, Grid(shape, affine))


def overlap_mm(first_mm, first_width_mm, second_mm, second_width_mm):
    """Length that two intervals share, given by centre and width."""
    upper = min(first_mm + first_width_mm / 2, second_mm + second_width_mm / 2)
    lower = max(first_mm - first_width_mm / 2, second_mm - second_width_mm / 2)
    return max(upper - lower, 0)


def oracle_pixel(volume, xyz_mm, thickness_mm, spacing_mm):
    """One slab pixel: every voxel, weighted by its distance from the pixel along the three axes."""
    zooms_mm = volume.grid.zooms_mm
    directions = volume.grid.affine[:3, :3] / zooms_mm
    total = weights = 0.0
    for ijk in np.ndindex(volume.data.shape):
        voxel_mm = (volume.grid.affine @ (*ijk, 1))[:3]
        across_mm, down_mm, back_mm = (voxel_mm - xyz_mm) @ directions
        weight = overlap_mm(0, thickness_mm, across_mm, zooms_mm[0])
        for distance_mm, zoom_mm in ((down_mm, zooms_mm[1]), (back_mm, zooms_mm[2])):
            weight *= max(0, 1 - abs(distance_mm) / max(zoom_mm, spacing_mm))
        total += weight * float(volume.data[ijk])
        weights += weight
    return total / weights


@pytest.mark.parametrize("tilt_deg", [(0, 0, 0), (18, -22, 31)], ids=["straight", "oblique"])
@pytest.mark.parametrize(
    ("shape", "zooms_mm", "step_mm", "thickness_mm", "spacing_mm"),
    [
        ((7, 9, 12), (1, 1, 1), 2, 2, 2),
        ((6, 10, 7), (1.3, 0.7, 0.9), 3, 4, 2),
        ((3, 8, 9), (4.4, 0.8, 0.8), 3, 3, 2),
        ((8, 4, 9), (0.9, 5, 0.8), 4, 2, 2),
        ((1, 9, 11), (9, 1, 0.8), 4, 4, 1.7),
        ((8, 7, 5), (0.5, 0.5, 0.6), 1, 0.3, 0.5),
    ],
    ids=["isotropic", "anisotropic", "thick sagittal", "thick axial", "one slice", "thin box"],
)
def test_every_pixel_is_its_weighted_mean(shape, zooms_mm, step_mm, thickness_mm, spacing_mm, tilt_deg):
    """Each pixel, at the world position its grid gives it, is the mean that the kernels define."""
    volume = scan(shape, zooms_mm, tilt_deg)
    slabs = extract_slabs(volume, step_mm, thickness_mm, spacing_mm)
    expected = [
        oracle_pixel(volume, slabs.grid.to_world(nrc), thickness_mm, spacing_mm) for nrc in np.ndindex(slabs.data.shape)
    ]
    assert slabs.data.dtype == np.float32
    np.testing.assert_allclose(slabs.data.ravel(), expected, rtol=1e-5)


positive_mm = st.floats(0.3, 7)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 9)] * 3),
    st.tuples(positive_mm, positive_mm, positive_mm),
    positive_mm,
    positive_mm,
    positive_mm,
)
def test_slabs_cover_the_volume_around_its_centre(shape, zooms_mm, step_mm, thickness_mm, spacing_mm):
    """For any sizes: odd number, same centre, in-plane cover without a spare pixel, a constant
    stays constant up to the edges."""
    volume = scan(shape, zooms_mm, (10, 20, 30))
    constant = Volume(np.full(shape, 3.0, dtype=np.float32), volume.grid)
    slabs = extract_slabs(constant, step_mm, thickness_mm, spacing_mm)
    n_slabs, *pixels = slabs.grid.shape
    centre = slabs.grid.to_world((np.array(slabs.grid.shape) - 1) / 2)
    np.testing.assert_allclose(centre, volume.grid.to_world((np.array(shape) - 1) / 2), atol=1e-9)
    np.testing.assert_allclose(slabs.grid.zooms_mm, (step_mm, spacing_mm, spacing_mm))
    np.testing.assert_allclose(slabs.data, 3, rtol=1e-5)
    assert n_slabs % 2 == 1 and slabs.grid.axcodes == CANONICAL
    width_mm, *sides_mm = np.array(shape) * volume.grid.zooms_mm
    assert n_slabs == 1 or (n_slabs - 1) * step_mm <= width_mm + 2e-3
    assert shape[0] == 1 or (n_slabs + 1) * step_mm > width_mm - 2e-3
    for n_pixels, side_mm in zip(pixels, sides_mm, strict=True):
        assert side_mm - 1e-3 <= n_pixels * spacing_mm < side_mm + spacing_mm + 1e-3


def test_matching_sizes_return_the_image():
    """Slabs of exactly one slice at the voxel size are the slices themselves."""
    volume = scan((5, 6, 7), (2, 1, 1))
    slabs = extract_slabs(volume, 2, 2, 1)
    np.testing.assert_allclose(slabs.data, volume.data, rtol=1e-6)
    np.testing.assert_allclose(slabs.grid.affine, volume.grid.affine, atol=1e-12)


def test_float32_voxel_size_adds_no_pixel():
    """256 mm stored with a float32 voxel size are 128 pixels of 2 mm, not 129."""
    volume = scan((3, 320, 640), (1, float(np.float32(0.8)), float(np.float32(0.4))))
    assert extract_slabs(volume, 1, 1, 2).data.shape == (3, 128, 128)


def test_float32_voxel_size_loses_no_slab():
    """20 slices of 0.7 mm hold a slab on either side at 7 mm, however 0.7 is rounded."""
    assert extract_slabs(scan((20, 4, 5), (float(np.float32(0.7)), 1, 1)), 7, 2).data.shape[0] == 3


@pytest.mark.parametrize(("n_slices", "zoom_mm"), [(1, 4), (1, 30), (3, 1)])
def test_thin_volume_is_one_slab(n_slices, zoom_mm):
    """A slice of any thickness, or a volume thinner than a step, gives one slab of it all."""
    volume = scan((n_slices, 5, 6), (zoom_mm, 2, 2))
    slabs = extract_slabs(volume, 4, 4, 2)
    np.testing.assert_allclose(slabs.data, volume.data.mean(axis=0, keepdims=True), rtol=1e-6)


def test_fine_stripes_do_not_alias():
    """Stripes finer than a pixel turn grey instead of into coarse stripes."""
    volume = scan((1, 40, 60), (3, 0.5, 0.5))
    stripes = np.broadcast_to((np.arange(60) % 2).astype(np.float32), volume.data.shape)
    slabs = extract_slabs(Volume(stripes, volume.grid), 4, 4, 2)
    np.testing.assert_allclose(slabs.data[:, :, 1:-1], 0.5, atol=0.01)


@pytest.mark.parametrize("codes", ["RAS", "LIP", "ASR", "PIL", "SRA"])
def test_memory_stays_below_the_volumes_own(codes):
    """Whatever the order of the axes in memory, the volume is not copied."""
    shape, affine = SCANS["isotropic"].stored(ORIENTATIONS[codes])
    shape = tuple(3 * n for n in shape)
    volume = canonical(Volume(np.ones(shape, dtype=np.float32, order="F"), Grid(shape, affine)))
    tracemalloc.start()
    extract_slabs(volume, 4, 4, 2)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 0.5 * volume.data.nbytes


@pytest.mark.parametrize("indices", [range(0, 2), range(3, 4), range(2, 7), range(1, 7, 3)])
def test_a_run_of_slabs_is_a_part_of_all(indices):
    """Slabs computed on demand have the values and places that they have in the whole stack."""
    volume = scan((23, 35, 18), (1, 0.9, 1.1), (10, 20, 30))
    everything = extract_slabs(volume, 3, 4)
    stack = SlabStack(volume, 3, 4)
    part = stack.extract(indices)
    np.testing.assert_allclose(part.data, everything.data[indices], rtol=1e-5)
    assert stack.grid.shape == everything.grid.shape
    for place, index in enumerate(indices):
        places_mm = part.grid.to_world((place, 1, 2)), everything.grid.to_world((index, 1, 2))
        np.testing.assert_allclose(*places_mm, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_other_types_give_float32(dtype):
    """Integer and double images give the same slabs as float32 ones."""
    volume = scan((7, 9, 12), (1, 1, 1))
    data = np.rint(volume.data * 1000)
    expected = extract_slabs(Volume(data, volume.grid), 2, 2)
    slabs = extract_slabs(Volume(data.astype(dtype), volume.grid), 2, 2)
    assert slabs.data.dtype == np.float32
    np.testing.assert_allclose(slabs.data, expected.data, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(0, 9)] * 4),
    st.floats(0.4, 3.1),
    st.floats(1.0, 2.5),
    st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
)
def test_anchored_pixels_stay_in_place_when_the_volume_is_cropped(margins, zoom_mm, spacing_mm, origin_mm):
    """Every pixel away from the cut is at a pixel of the whole volume, with the same value."""
    whole = scan((3, 34, 31), (4.0, zoom_mm, 1.1 * zoom_mm), tilt_deg=(4, -7, 3))
    affine = whole.grid.affine.copy()
    affine[1:3, 3] += origin_mm
    whole = Volume(whole.data, Grid(whole.data.shape, affine))
    top, bottom, front, back = margins
    affine = affine.copy()
    affine[:3, 3] = whole.grid.to_world((0, top, front))
    data = whole.data[:, top : 34 - bottom, front : 31 - back]
    part = Volume(data, Grid(data.shape, affine))
    large, small = (SlabStack(v, 4.0, 5.0, spacing_mm, anchored=True).extract(range(3)) for v in (whole, part))
    ijk = np.indices(small.data.shape).reshape(3, -1).T
    at = large.grid.to_index(small.grid.to_world(ijk))
    np.testing.assert_allclose(at, np.rint(at), atol=1e-6)
    there = part.grid.to_index(small.grid.to_world(ijk))[:, 1:]
    reach = np.maximum(1, spacing_mm / part.grid.zooms_mm[1:])
    away = ((there >= reach) & (there <= np.array(data.shape)[1:] - 1 - reach)).all(axis=1)
    np.testing.assert_allclose(
        small.data[tuple(ijk[away].T)], large.data[tuple(np.rint(at[away]).astype(int).T)], atol=1e-4
    )


def test_anchored_pixels_cover_the_volume():
    """The outermost pixels are less than one pixel from the faces, and the slabs those of ever."""
    volume = scan((7, 40, 33), (3.0, 0.9, 1.7), tilt_deg=(5, 6, -4))
    around, anchored = (SlabStack(volume, 4.0, 5.0, 2.0, anchored=anchored).grid for anchored in (False, True))
    assert anchored.shape[0] == around.shape[0]
    first, last = volume.grid.to_index(anchored.to_world([(0, 0, 0), np.array(anchored.shape) - 1]))
    pixel = 2.0 / volume.grid.zooms_mm[1:]
    assert np.all(first[1:] >= -0.5 - 1e-3) and np.all(first[1:] < -0.5 + pixel)
    assert np.all(last[1:] <= np.array([39.5, 32.5]) + 1e-3) and np.all(last[1:] > np.array([39.5, 32.5]) - pixel)
    centre = volume.grid.to_index(around.to_world((np.array(around.shape) - 1) / 2))
    assert centre[0] == pytest.approx(volume.grid.to_index(anchored.to_world((np.array(anchored.shape) - 1) / 2))[0])


def test_only_canonical_volumes():
    """Another orientation is a mistake of the caller."""
    volume = scan((3, 4, 5), (1, 1, 1))
    with pytest.raises(ValueError, match="expected a volume in"):
        extract_slabs(Volume(volume.data, Grid((3, 4, 5), np.eye(4))), 2, 2)


@pytest.mark.parametrize("lengths_mm", [(0, 2, 2), (2, -1, 2), (2, 2, 0)])
def test_lengths_must_be_positive(lengths_mm):
    """A step, thickness or spacing of zero is a mistake of the caller."""
    with pytest.raises(ValueError, match="positive"):
        extract_slabs(scan((3, 4, 5), (1, 1, 1)), *lengths_mm)


@given(st.tuples(*[st.integers(1, 70)] * 3), st.sampled_from([1, 2, 16, 32]))
def test_padding_moves_no_pixel(shape, multiple):
    """Rows and columns become the next multiples, and every old pixel keeps value and place."""
    volume = scan((min(shape[0], 3), *shape[1:]), (4, 2, 2), (10, 20, 30))
    padded = pad_to_multiple(volume, multiple, value=-7)
    n_slabs, *sides = padded.data.shape
    assert n_slabs == volume.data.shape[0]
    for side, old in zip(sides, volume.data.shape[1:], strict=True):
        assert side % multiple == 0 and old <= side < old + multiple
    corners = [(0, 0, 0), np.array(volume.data.shape) - 1]
    first, last = np.rint(padded.grid.to_index(volume.grid.to_world(corners))).astype(int)
    inside = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    np.testing.assert_array_equal(padded.data[inside], volume.data)
    assert np.count_nonzero(padded.data == -7) == padded.data.size - volume.data.size
    before, after = first[1:], np.array(sides) - 1 - last[1:]
    assert ((after - before >= 0) & (after - before <= 1)).all()
