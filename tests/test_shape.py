"""Random bodies: the two maps between the image plane and cord coordinates undo each other."""

import numpy as np
import pytest

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.simulation.shape import random_shape

BODIES = [random_shape(np.random.default_rng(seed)) for seed in range(12)]


@pytest.mark.parametrize("body", BODIES)
def test_cord_coordinates_and_back(body):
    """Points within 25 mm of the cord come back from the image plane to less than half a millimetre."""
    s_mm, u_mm = np.meshgrid(np.linspace(-115, 480, 60), np.linspace(-20, 25, 7), indexing="ij")
    back_s_mm, back_u_mm = body.to_cord(body.to_plane(s_mm, u_mm))
    np.testing.assert_allclose(back_u_mm, u_mm, atol=0.5)
    np.testing.assert_allclose(back_s_mm, s_mm, atol=1.5)  # u / radius of curvature of a millimetre's step


@pytest.mark.parametrize("body", BODIES)
def test_discs_follow_one_another_downwards(body):
    """Disc tips are ordered along the spine, and their distances stay within those of children and tall adults."""
    tips_mm = body.to_plane(LEVEL_MM, np.full(25, 9.0))
    ratio = np.linalg.norm(np.diff(tips_mm, axis=0), axis=1) / -np.diff(LEVEL_MM)
    assert (np.diff(body.arc_mm) > 0).all()
    assert ratio.min() > 0.4 and ratio.max() < 1.7


def test_the_same_seed_is_the_same_body():
    """A body is a function of its seed alone."""
    one, two = (random_shape(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.curve_mm, two.curve_mm)
    assert not np.array_equal(one.curve_mm, BODIES[0].curve_mm)


@pytest.mark.parametrize("body", BODIES[:6])
def test_every_second_pixel_is_enough(body):
    """Near the spine the coordinates of a whole image equal those that are worked out pixel by pixel, to 0.3 mm."""
    for shape, centre_s_mm in (((96, 65), 430.0), ((65, 96), 200.0), ((128, 128), -40.0)):
        at_mm = body.to_plane(np.array(centre_s_mm), np.array(0.0))
        origin_mm = at_mm - np.array(shape)
        pixels_mm = np.stack(np.meshgrid(*(2.0 * np.arange(n) for n in shape), indexing="ij"), -1) + origin_mm
        s_mm, u_mm = body.to_cord(pixels_mm)
        from_grid_s_mm, from_grid_u_mm = body.grid_to_cord(origin_mm, shape, 2.0)
        assert from_grid_s_mm.shape == from_grid_u_mm.shape == shape
        near = (np.abs(u_mm) < 25) & (s_mm > -150) & (s_mm < 480)
        assert near.sum() > 500
        assert np.abs(from_grid_u_mm - u_mm)[near].max() < 0.3
        off_mm = np.abs(from_grid_s_mm - s_mm)[near]
        assert np.percentile(off_mm, 99) < 0.3, off_mm.max()
