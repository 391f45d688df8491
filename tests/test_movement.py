"""How far a person moved: found where discs coincide, bounded, and left open where they do not."""

import numpy as np
import pytest

from benchmarks.acceptance.session_made_up import make_body, make_view
from deepspine_sct.labeling.movement import MOVED_MM, possible_shifts

REACH_MM, KNEE = 60.0, 4.0


def shifts_between(one, other):
    """Movements that are possible between two views."""
    points = [part for view in (one, other) for part in (view.candidates.xyz_mm, view.candidates.strength)]
    return possible_shifts(*points, REACH_MM, KNEE)


@pytest.mark.parametrize("moved_mm", [(0, 0, 0), (3, -4, 5), (0, 6, -8), (5, 0, 10)])
def test_a_movement_is_found_from_eight_shared_discs(moved_mm):
    """The first proposal undoes the movement within 1.5 mm in the sagittal plane and pairs every disc with itself."""
    rng = np.random.default_rng(1)
    body = make_body(rng)
    one = make_view(body, range(9, 17), rng)
    other = make_view(body, range(9, 17), rng, moved_mm)
    first = shifts_between(one, other)[0]
    assert first.pairs == tuple((i, i) for i in range(8))
    assert np.abs(np.add(first.by_mm, moved_mm)[1:]).max() < 1.5


def test_a_movement_out_of_bounds_is_none():
    """A scan that lies 40 mm in front of the other one is not moved there."""
    rng = np.random.default_rng(1)
    body = make_body(rng)
    one, other = make_view(body, range(9, 17), rng), make_view(body, range(9, 17), rng, (0, 40, 0))
    assert [shift.pairs for shift in shifts_between(one, other)] == [()]


def test_proposals_are_bounded_and_distinct():
    """Whatever the candidates, no proposal is longer than the bound, and no two pair the same discs."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        views = [make_view(make_body(rng), range(3, 12), rng, rng.normal(0, 8, 3), ghosts=3) for _ in range(2)]
        shifts = shifts_between(*views)
        assert all(np.hypot(*shift.by_mm[1:]) <= MOVED_MM for shift in shifts)
        assert 0 < len(shifts) == len({shift.pairs for shift in shifts})


def test_scans_without_candidates_have_not_moved():
    """There is nothing to read a movement from."""
    rng = np.random.default_rng(0)
    view = make_view(make_body(rng), range(3, 9), rng)
    none = view.candidates.take(np.zeros(0, dtype=int))
    points = view.candidates.xyz_mm, view.candidates.strength, none.xyz_mm, none.strength
    assert [shift.by_mm for shift in possible_shifts(*points, REACH_MM, KNEE)] == [(0, 0, 0)]
