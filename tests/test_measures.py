"""Measures of the cord, against cords whose length and cross section are known."""

import numpy as np
import pytest

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.cord_levels import label_cord
from deepspine_sct.landmarks.measures import measure_cord

POINTS = {value: np.array([10.0, 3.0, z_mm]) for value, z_mm in {4: 60.0, 5: 40.0, 6: 20.0}.items()}


def straight_cord() -> np.ndarray:
    """(21, 21, 81) voxels of 1 mm with an upright cord of 7 x 7 mm from 5 to 75 mm."""
    data = np.zeros((21, 21, 81), np.float32)
    data[7:14, 7:14, 5:76] = 1
    return data


def measured(data: np.ndarray) -> dict[tuple[str, str], float]:
    """Measure the cord in upright world coordinates."""
    cord = Volume(data, Grid(data.shape, np.eye(4)))
    return {row[:2]: row.value for row in measure_cord(cord, label_cord(cord, POINTS))}


def test_a_straight_cord_has_its_length_and_cross_section():
    """Between discs that are 20 mm apart: 20 mm of 49 mm2."""
    found = measured(straight_cord())
    for level in ("C4", "C5"):
        assert found["cord_length", level] == pytest.approx(20, abs=1.1)
        assert found["cord_area", level] == pytest.approx(49, rel=0.06)


def test_a_cavity_makes_the_cord_thinner_and_not_shorter():
    """A syrinx of 3 x 3 mm along 10 of the 20 mm, through which the middle line runs, takes 4.5 of 49 mm2."""
    whole, data = measured(straight_cord()), straight_cord()
    data[9:12, 9:12, 45:55] = 0
    hollow = measured(data)
    assert hollow["cord_length", "C4"] == pytest.approx(whole["cord_length", "C4"], abs=0.1)
    assert hollow["cord_area", "C4"] == pytest.approx(whole["cord_area", "C4"] * 44.5 / 49, rel=0.01)
    assert hollow["cord_area", "C5"] == pytest.approx(whole["cord_area", "C5"], rel=1e-6)


def test_a_split_cord_is_as_long_as_a_whole_one():
    """Where it is two halves beside the middle line, its length is the same and its cross section that of both."""
    whole, data = measured(straight_cord()), straight_cord()
    data[9:12, :, 22:58] = 0
    split = measured(data)
    assert split["cord_length", "C5"] == pytest.approx(whole["cord_length", "C5"], abs=0.1)
    assert split["cord_area", "C5"] == pytest.approx((28 * 18 + 49 * 2) / 20, rel=0.06)


def test_a_soft_segmentation_has_the_cross_section_of_its_values():
    """A rim of half and of a tenth of a voxel counts so much, where every voxel of it would add 60 %."""
    hard, data = measured(straight_cord()), np.zeros((21, 21, 81), np.float32)
    data[5:16, 5:16, 5:76], data[6:15, 6:15, 5:76], data[7:14, 7:14, 5:76] = 0.1, 0.5, 1
    soft = measured(data)
    area_mm2 = 49 + 0.5 * (81 - 49) + 0.1 * (121 - 81)
    assert soft["cord_area", "C4"] == pytest.approx(hard["cord_area", "C4"] * area_mm2 / 49, rel=0.01)
