"""The baselines do what their names say, and fail where the skeleton must not."""

from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.acceptance import baselines
from benchmarks.acceptance.baselines import argmax_per_channel, count_from_top, exhaustive_skeleton
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.skeleton import SkeletonPrior, order

SPACING_MM = np.array(SkeletonPrior.default().spacing_mm)


def _spine(values, k=12):
    """Candidates on a vertical line at template distances, evidence 0.8 for their own value."""
    z_mm = 100 - np.concatenate([[0], np.cumsum(SPACING_MM)])[np.array(values) - 1]
    evidence = 0.8 * np.eye(k)[np.array(values) - 1]
    xyz_mm = np.column_stack([0 * z_mm, 0 * z_mm, z_mm])
    return Candidates(xyz_mm, np.full(len(values), 0.8), evidence, np.full(len(values), np.nan))


def _with_ghost(c, xyz_mm, value, share):
    """Add a candidate that claims `share` of a value."""
    evidence = np.vstack([c.evidence, share * np.eye(c.evidence.shape[1])[value - 1]])
    return Candidates(
        np.vstack([c.xyz_mm, xyz_mm]),
        np.append(c.strength, share),
        evidence,
        np.append(c.level_mm, np.nan),
    )


def _values(points, c):
    """Value given to each candidate, 0 where none."""
    return [next((v for v, p in points.items() if (p == x).all()), 0) for x in c.xyz_mm]


def test_argmax_takes_each_channels_best_candidate():
    """Every channel that speaks names its strongest candidate, a stronger ghost included."""
    c = _spine([3, 4, 5, 6])
    assert _values(argmax_per_channel(c), c) == [3, 4, 5, 6]
    haunted = _with_ghost(c, [0, 60, 0], value=5, share=0.9)
    assert _values(argmax_per_channel(haunted), haunted) == [3, 4, 0, 6, 5]
    assert _values(order(haunted).points, haunted) == [3, 4, 5, 6, 0]


def test_argmax_ignores_silent_channels():
    """Evidence below the threshold names nothing."""
    c = _spine([3, 4])
    silent = Candidates(c.xyz_mm, c.strength, 0.1 * c.evidence, c.level_mm)
    assert argmax_per_channel(silent) == {}


def test_counting_from_the_top_shifts_after_a_missing_disc():
    """Counting is right from C2/C3 down, and wrong as soon as one disc is missing."""
    c = _spine([3, 4, 5, 6, 7])
    shuffled = c.take(np.array([3, 0, 4, 1, 2]))
    assert _values(count_from_top(shuffled), c) == [3, 4, 5, 6, 7]
    missing = _spine([3, 4, 6, 7])
    assert _values(count_from_top(missing), missing) == [3, 4, 5, 6]
    assert _values(order(missing).points, missing) == [3, 4, 6, 7]


def test_the_exhaustive_search_finds_the_template_like_chain():
    """Among all combinations the one with the template's proportions wins, over a strong ghost."""
    c = _with_ghost(_spine([3, 4, 5, 6, 7]), [0, 45, 40], value=5, share=0.9)
    assert _values(exhaustive_skeleton(c), c) == [3, 4, 5, 6, 7, 0]


def test_the_exhaustive_search_stops_in_time(monkeypatch):
    """Twelve ambiguous channels, 16 million combinations, still end at the time limit."""
    c = _spine(range(1, 13))
    blurred = Candidates(c.xyz_mm, c.strength, np.full((12, 12), 0.2), c.level_mm)
    clock_s = count(0.0, 0.1)  # a tenth of a second passes between two looks at it
    monkeypatch.setattr(baselines, "time", SimpleNamespace(monotonic=lambda: next(clock_s)))
    assert len(exhaustive_skeleton(blurred, limit_s=0.25)) == 12
    assert next(clock_s) == pytest.approx(0.4)  # it has looked at 0.0, 0.1, 0.2 and 0.3


def test_no_candidates_give_no_points():
    """An empty image has no discs by any method."""
    none = _spine([3]).take(np.zeros(0, dtype=int))
    assert argmax_per_channel(none) == count_from_top(none) == exhaustive_skeleton(none) == {}
