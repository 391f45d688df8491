"""Distances between discs, and those that no other scan has."""

import numpy as np
import pytest

from deepspine_sct.anatomy import SPACING_MM
from deepspine_sct.landmarks.spacing import MIN_SCANS, OUTLIER, outliers, spacings


def spine(values, size=1.0, noise_mm=0.0, seed=0) -> dict[int, list[float]]:
    """Stack discs along a slanted line, at the distances of an average body times its size."""
    rng = np.random.default_rng(seed)
    depth_mm = np.concatenate([[0], np.cumsum(SPACING_MM * size + rng.normal(0, noise_mm, 24))])
    return {v: (np.array([0.1, 0.2, -1]) / np.sqrt(1.05) * depth_mm[v - 1] + 7).tolist() for v in values}


def test_only_neighbours_are_measured_and_body_size_does_not_matter():
    """Discs 3, 4, 5 and 7, 8: three distances, each 1.2 times the average, all as expected."""
    found = spacings(5, spine([3, 4, 5, 7, 8], size=1.2))
    assert [spacing.value for spacing in found] == [3, 4, 7]
    assert [spacing.mm for spacing in found] == pytest.approx((SPACING_MM[[2, 3, 6]] * 1.2).tolist())
    assert [spacing.share for spacing in found] == pytest.approx([1, 1, 1])
    assert {spacing.scan for spacing in found} == {5}


@pytest.mark.parametrize("values", [[], [4], [4, 6, 8]])
def test_without_neighbours_nothing_is_measured(values):
    """No disc, one disc, or gaps everywhere."""
    assert spacings(0, spine(values)) == []


def test_a_skipped_disc_stands_out_and_nothing_else_does():
    """One spine of thirty lacks a disc, its names closed up: one distance is twice what others have."""
    cohort = [spine(range(2, 12), 0.8 + 0.015 * n, 0.2, n) for n in range(30)]
    wrong = {value: xyz for value, xyz in cohort[17].items() if value != 6}
    cohort[17] = dict(zip(range(2, 11), wrong.values(), strict=True))
    found = [spacing for n, points in enumerate(cohort) for spacing in spacings(n, points)]
    (worst, score), *others = outliers(found)
    assert (worst.scan, worst.value) == (17, 5)
    assert score > 3 * OUTLIER
    assert {spacing.scan for spacing, _ in others} <= {17}


def test_too_few_scans_tell_nothing():
    """A level that seven scans show has no outlier, however odd one of them is."""
    cohort = [spine([3, 4], seed=n) | {5: [0.0, 0.0, -30.0 * n]} for n in range(MIN_SCANS - 1)]
    found = [spacing for n, points in enumerate(cohort) for spacing in spacings(n, points)]
    assert outliers(found) == []
