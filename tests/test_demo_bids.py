"""The simulated data set: only what a scan shows is marked in it."""

import numpy as np
import pytest

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation.demo_bids import is_visible


@pytest.mark.parametrize(("row", "seen"), [(10, True), (5, True), (4, True), (2, False), (0, False)])
def test_a_disc_beyond_the_edge_of_the_image_is_not_marked(row, seen):
    """Noise from row 5 on, flat above: a disc counts up to the pixel beside the edge."""
    data = np.zeros((3, 20, 20))
    data[:, 5:] = np.random.default_rng(0).normal(size=(3, 15, 20))
    grid = Grid(data.shape, np.diag([-4.0, -2.0, -2.0, 1.0])[[0, 2, 1, 3]])
    assert grid.axcodes == ("L", "I", "P")
    assert is_visible(Volume(data, grid), grid.to_world(np.array([1, row, 10]))) is seen
