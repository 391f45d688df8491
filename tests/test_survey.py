"""Where the network looks: nothing of the spine may slip through, and air is not looked at."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.labeling.survey import (
    AIR,
    COARSE_STRIDE,
    MARGIN,
    TRACE,
    body,
    coarse_slabs,
    slabs_around_spine,
)

odd = st.integers(0, 60).map(lambda half: 2 * half + 1)


@given(odd)
def test_the_coarse_slabs_leave_no_gap(n_slabs):
    """The middle is looked at, and every slab lies within the margin or between two coarse ones."""
    coarse = coarse_slabs(n_slabs)
    assert n_slabs // 2 in coarse
    assert coarse[0] <= MARGIN and coarse[-1] >= n_slabs - 1 - MARGIN
    assert set(np.diff(coarse)) <= {COARSE_STRIDE}


@given(odd, st.data())
def test_the_spine_is_looked_at_with_a_margin(n_slabs, data):
    """Every coarse slab with a trace of the spine is in, every slab near one too, and none else at the ends."""
    coarse = coarse_slabs(n_slabs)
    shares = data.draw(st.lists(st.floats(0, 1), min_size=len(coarse), max_size=len(coarse)))
    shares[data.draw(st.integers(0, len(coarse) - 1))] = 1.0
    heatmaps = np.array(shares)[:, None, None, None] * np.ones((1, 2, 3, 4))
    chosen = slabs_around_spine(coarse, heatmaps, n_slabs)
    shown = [i for i, share in zip(coarse, shares, strict=True) if share >= TRACE]
    near = [i for i in range(n_slabs) if min(abs(i - j) for j in shown) <= MARGIN]
    assert (chosen[0], chosen[-1]) == (near[0], near[-1])
    assert chosen.step == 1


def test_air_is_left_out_on_both_sides():
    """Noise beside the body is cut off, a dark image inside of it is not."""
    rng = np.random.default_rng(0)
    contrast = np.array([0.01, AIR / 2, 0.3, 0.01, 1.0, 0.06, 0.04, 0.0])
    images = rng.standard_normal((8, 30, 40)) * contrast[:, None, None] + 7
    assert body(images) == slice(2, 6)
    assert body(images[4:5]) == slice(0, 1)


def test_a_constant_image_is_all_body():
    """Without any contrast nothing is left out: there is nothing to compare with."""
    assert body(np.ones((3, 5, 6))) == slice(0, 3)
