"""Canonical orientation and intensity normalisation."""

import numpy as np
import pytest
from geometry_cases import ORIENTATIONS, SCANS
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.preprocessing import canonical, normalise, without_fill, without_margins
from deepspine_sct.image.volume import Volume


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_canonical_is_an_upright_image_facing_left(codes):
    """Drawn by world position, a head has its top in row 0, its face in column 0, right first."""
    shape, affine = SCANS["oblique"].stored(ORIENTATIONS[codes])
    grid = Grid(shape, affine)
    middle_mm = grid.to_world((np.array(shape) - 1) / 2)
    from_middle_mm = grid.to_world(np.moveaxis(np.indices(shape), 0, -1)) - middle_mm
    along_mm = np.concatenate([from_middle_mm, -from_middle_mm], axis=-1)
    letters = np.array(list("RASLPI"))[along_mm.argmax(axis=-1)]
    image = canonical(Volume(letters, grid)).data
    middle = image[image.shape[0] // 2]
    n_rows, n_columns = middle.shape
    assert middle[0, n_columns // 2] + middle[-1, n_columns // 2] == "SI"
    assert middle[n_rows // 2, 0] + middle[n_rows // 2, -1] == "AP"
    assert image[0, n_rows // 2, n_columns // 2] + image[-1, n_rows // 2, n_columns // 2] == "RL"


@given(st.tuples(*[st.integers(0, 4)] * 6), st.sampled_from([0, -3.5, 7]))
def test_margins_of_one_value_are_cut_off(margins, value):
    """Whatever is put around an image comes off again, as a view, and the voxels keep their place."""
    inside = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    widths = list(zip(margins[::2], margins[1::2], strict=True))
    data = np.pad(inside, widths, constant_values=value)
    grid = Grid(data.shape, SCANS["oblique"].stored(ORIENTATIONS["PIR"])[1])
    trimmed = without_margins(Volume(data, grid))
    np.testing.assert_array_equal(trimmed.data, inside)
    assert np.shares_memory(trimmed.data, data)
    first = [before for before, _ in widths]
    np.testing.assert_allclose(trimmed.grid.to_world((0, 0, 0)), grid.to_world(first), atol=1e-9)


def test_margins_of_several_values_are_cut_off_in_turn():
    """A padded image that was padded before with another value loses both margins."""
    inside = np.random.default_rng(1).normal(size=(3, 5, 4))
    data = np.pad(np.pad(inside, 2, constant_values=1), ((0, 1), (3, 0), (2, 2)))
    trimmed = without_margins(Volume(data, Grid(data.shape, np.eye(4))))
    np.testing.assert_array_equal(trimmed.data, inside)


def test_what_shows_something_is_not_cut():
    """One voxel that differs keeps its plane; a single slice and an empty image stay an image."""
    data = np.zeros((4, 5, 6))
    data[0, 0, 0] = data[3, 4, 5] = 1
    assert without_margins(Volume(data, Grid(data.shape, np.eye(4)))).data.shape == data.shape
    one = np.random.default_rng(2).normal(size=(1, 5, 6))
    assert without_margins(Volume(one, Grid(one.shape, np.eye(4)))).data.shape == one.shape
    empty = np.zeros((4, 5, 6))
    assert min(without_margins(Volume(empty, Grid(empty.shape, np.eye(4)))).data.shape) == 1


def oracle(image):
    """Normalise one image, one pixel at a time."""
    low, high = np.percentile(image, [1, 99.5])
    pixels = [min(max(float(pixel), low), high) for pixel in image.ravel()]
    mean = sum(pixels) / len(pixels)
    deviation = (sum((pixel - mean) ** 2 for pixel in pixels) / len(pixels)) ** 0.5
    return np.reshape([(pixel - mean) / deviation for pixel in pixels], image.shape)


def test_normalise_matches_the_definition():
    """Clipping, centring and scaling do what their definition says, for each image by itself."""
    rng = np.random.default_rng(3)
    stack = rng.gamma(2, 100, (3, 13, 17)) * np.array([1, 50, 0.01])[:, None, None]
    stack[0, 0, 0] = 1e6
    result = normalise(stack)
    assert result.dtype == np.float32 and result.shape == stack.shape
    for image, normalised in zip(stack, result, strict=True):
        np.testing.assert_allclose(normalised, oracle(image), atol=1e-5)
        np.testing.assert_array_equal(normalise(image), normalised)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-1e4, 1e4))
def test_normalise_ignores_gain_and_offset(seed, gain, offset):
    """The scanner's units do not matter."""
    image = np.random.default_rng(seed).normal(size=(2, 9, 11))
    np.testing.assert_allclose(normalise(image * gain + offset), normalise(image), atol=1e-3)


def test_bright_flat_image_keeps_its_contrast():
    """A contrast of one in a million survives the rounding of float32."""
    image = np.random.default_rng(1).integers(-2, 3, (40, 50)).astype(np.float32) + 2**20
    np.testing.assert_allclose(normalise(image), oracle(image), atol=1e-5)


@given(st.floats(-1e6, 1e6, width=32), st.sampled_from([np.float32, np.float64]))
def test_constant_image_becomes_zero(value, dtype):
    """An empty slab is zero and not undefined, beside one that has contrast."""
    stack = np.full((2, 9, 11), value / 3, dtype=dtype)
    stack[1, 2:7, 2:7] += 10
    result = normalise(stack)
    assert not result[0].any() and np.isfinite(result).all() and result[1].std() > 0.9


def test_one_hot_pixel_in_an_empty_image_is_clipped():
    """What the percentiles leave constant is constant."""
    image = np.zeros((20, 30))
    image[3, 4] = 1000
    assert not normalise(image).any()


def test_normalise_does_not_touch_its_input():
    """The given array is read only."""
    image = np.random.default_rng(0).random((5, 7))
    image.flags.writeable = False
    normalise(image)


@pytest.mark.parametrize("shape", [(5,), (1, 2, 3, 4)])
def test_normalise_takes_images_and_stacks(shape):
    """An array of another number of dimensions is refused."""
    with pytest.raises(ValueError, match="expected"):
        normalise(np.zeros(shape))


@pytest.mark.parametrize("dtype", [">i2", np.int16, np.float32])
@pytest.mark.parametrize("fill", [-32768, -1024, 32767])
def test_what_was_not_measured_is_as_dark_as_the_darkest_tissue(dtype, fill):
    """A corner that is cut off slantwise and filled with one far value; the image itself does not change."""
    image = np.random.default_rng(0).integers(20, 900, (5, 30, 40)).astype(dtype)
    image[2, 4, 5] = 20
    outside = np.add.outer(np.arange(30), np.arange(40)) < 20
    filled = np.where(outside, fill, image).astype(dtype)
    before = filled.copy()
    found = without_fill(Volume(filled, Grid.sagittal(image.shape, (3, 1, 1)))).data
    assert np.array_equal(found, np.where(outside, image[:, ~outside].min(), image))
    assert np.array_equal(filled, before)


@pytest.mark.parametrize("corner", [0, 19, 400, 1700])
def test_a_corner_that_may_be_measured_stays(corner):
    """Air, tissue or a bright vessel, no farther beyond the other values than these reach: nothing is done."""
    image = np.random.default_rng(0).integers(20, 900, (5, 30, 40)).astype(np.int16)
    image[:, :8, :8] = corner
    volume = Volume(image, Grid.sagittal(image.shape, (3, 1, 1)))
    assert without_fill(volume) is volume
    flat = Volume(np.full((1, 3, 3), 7, np.int16), Grid.sagittal((1, 3, 3), (3, 1, 1)))
    assert without_fill(flat) is flat
