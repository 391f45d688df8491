"""Where the network looks: nothing of the spine may slip through, and air is not looked at."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.slab import SlabStack
from deepspine_sct.image.volume import Volume, crop
from deepspine_sct.labeling.settings import DEFAULTS
from deepspine_sct.labeling.survey import (
    coarse_slabs,
    columns_around_spine,
    slabs_around_spine,
    slabs_with_contrast,
    without_air,
)

odd = st.integers(0, 60).map(lambda half: 2 * half + 1)


@given(odd)
def test_the_coarse_slabs_leave_no_gap(n_slabs):
    """The middle is looked at, and every slab lies within the margin or between two coarse ones."""
    coarse = coarse_slabs(n_slabs)
    assert n_slabs // 2 in coarse
    assert coarse[0] <= DEFAULTS.margin_slabs and coarse[-1] >= n_slabs - 1 - DEFAULTS.margin_slabs
    assert set(np.diff(coarse)) <= {DEFAULTS.coarse_stride}


@given(odd, st.data())
def test_the_spine_is_looked_at_with_a_margin(n_slabs, data):
    """Every coarse slab with a trace of the spine is in, every slab near one too, and none else at the ends."""
    coarse = coarse_slabs(n_slabs)
    shares = data.draw(st.lists(st.floats(0, 1), min_size=len(coarse), max_size=len(coarse)))
    shares[data.draw(st.integers(0, len(coarse) - 1))] = 1.0
    heatmaps = np.array(shares)[:, None, None, None] * np.ones((1, 2, 3, 4))
    chosen = slabs_around_spine(coarse, heatmaps, n_slabs)
    shown = [i for i, share in zip(coarse, shares, strict=True) if share >= DEFAULTS.trace]
    near = [i for i in range(n_slabs) if min(abs(i - j) for j in shown) <= DEFAULTS.margin_slabs]
    assert (chosen[0], chosen[-1]) == (near[0], near[-1])
    assert chosen.step == 1


@given(st.integers(1, 8), st.data())
def test_the_columns_of_the_spine_are_looked_at_with_what_is_beside_them(n_blocks, data):
    """Every column with a trace is in, so is all within the margin that exists, and hardly more than blocks demand."""
    pixel_mm, multiple, width = 4.0, 16, 16 * n_blocks
    shares = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.01, 0.2, 1.0]), min_size=width, max_size=width)))
    shares[data.draw(st.integers(0, width - 1))] = 1.0
    heatmaps = shares * np.ones((3, 2, 5, 1))
    columns = columns_around_spine(heatmaps, pixel_mm, multiple, DEFAULTS)
    n_looked_at = columns.stop - columns.start
    assert 0 <= columns.start < columns.stop <= width and n_looked_at % multiple == 0
    shown = np.flatnonzero(shares >= DEFAULTS.column_trace)
    margin = DEFAULTS.beside_mm / pixel_mm
    needed = shown[-1] + 1 - shown[0] + 2 * margin
    assert columns.start <= max(shown[0] - margin, 0) + 1 and columns.stop >= min(shown[-1] + 1 + margin, width) - 1
    assert n_looked_at < needed + multiple or n_looked_at == width


def test_air_is_left_out_on_both_sides():
    """Noise beside the body is cut off, a dark image inside of it is not."""
    rng = np.random.default_rng(0)
    contrast = np.array([0.01, DEFAULTS.air / 2, 0.3, 0.01, 1.0, 0.06, 0.04, 0.0])
    images = rng.standard_normal((8, 30, 40)) * contrast[:, None, None] + 7
    assert slabs_with_contrast(images) == slice(2, 6)
    assert slabs_with_contrast(images[4:5]) == slice(0, 1)


def test_a_constant_image_is_all_body():
    """Without any contrast nothing is left out: there is nothing to compare with."""
    assert slabs_with_contrast(np.ones((3, 5, 6))) == slice(0, 3)


def body_in_air(margins):
    """A body of 60 x 50 voxels of 1.5 mm, darker at its foot, with dark noise around and a speck in it."""
    rng = np.random.default_rng(0)
    top, bottom, front, back = margins
    data = rng.uniform(0, 1, (5, top + 60 + bottom, front + 50 + back))
    data[:, top : top + 60, front : front + 50] += np.linspace(100, 10, 60)[:, None]
    data[:, :2, :2] = 90  # too small to be anything
    affine = np.array([[-4.0, 0, 0, 0], [0, 0, -1.5, 0], [0, -1.5, 0, 0], [0, 0, 0, 1]])
    return Volume(data.astype(np.float32), Grid(data.shape, affine))


def slabs_of(image):
    """Its slabs of 2 mm."""
    stack = SlabStack(image, 4.0, 5.0, 2.0, anchored=True)
    return stack.extract(range(stack.grid.shape[0]))


def test_air_above_and_beside_the_body_is_cut_off():
    """What is left begins and ends within a pixel of the body, the dark foot included."""
    image = body_in_air((20, 14, 9, 31))
    left = without_air(image, slabs_of(image))
    low = image.grid.to_index(left.grid.to_world((0, 0, 0)))
    high = low + left.grid.shape
    assert left.grid.shape[0] == 5
    assert np.all(np.abs(low[1:] - (20, 9)) <= 2) and np.all(np.abs(high[1:] - (80, 59)) <= 2)
    assert low[1] <= 20 and high[1] >= 80 and low[2] <= 9 and high[2] >= 59


def test_air_that_was_cropped_before_makes_no_difference():
    """However much of the air is gone already, the same voxels are left."""
    image = body_in_air((20, 14, 9, 31))
    left = without_air(image, slabs_of(image))
    for low, high in (((0, 10, 0), (5, 94, 90)), ((0, 14, 5), (5, 85, 70)), ((0, 0, 5), (5, 88, 66))):
        part = crop(image, low, high)
        again = without_air(part, slabs_of(part))
        assert again.grid.shape == left.grid.shape
        np.testing.assert_allclose(again.grid.affine, left.grid.affine, atol=1e-9)


def test_an_image_without_air_stays_whole():
    """Tissue everywhere, and nothing at all, are left as they are."""
    data = np.random.default_rng(0).uniform(0, 100, (5, 60, 50)).astype(np.float32)
    image = Volume(data, Grid(data.shape, body_in_air((0, 0, 0, 0)).grid.affine))
    assert without_air(image, slabs_of(image)).grid.shape == image.grid.shape
    nothing = Volume(np.zeros_like(data), image.grid)
    assert without_air(nothing, slabs_of(nothing)) is nothing
