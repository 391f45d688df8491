"""What is said where one name is not enough."""

import numpy as np
import pytest

from deepspine_sct.labeling.cautions import about_names
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Disc
from deepspine_sct.labeling.level_shifts import level_shifts, possible_names, shifts_to_say

PATH = [(0, 16), (1, 17), (2, 18), (4, 19)]  # candidate 3 is a ghost


def posterior(of_shift: dict[int, float], seen: float = 0.9) -> np.ndarray:
    """Build (5, 25) probabilities in which the names of `PATH` are off by each shift as often as it says."""
    out = np.zeros((5, 25))
    for i, v in PATH:
        for shift, probability in of_shift.items():
            out[i, v + shift] = seen * probability
    out[3, 2] = 0.1
    return out


@pytest.mark.parametrize("seen", [0.3, 1.0])
def test_the_probability_of_each_shift_is_found_again(seen):
    """However likely the discs themselves are, the shifts get the probabilities that were put in."""
    put_in = {-1: 0.3, 0: 0.6, 1: 0.08, 3: 0.02}
    found = level_shifts(posterior(put_in, seen), PATH)
    assert found == pytest.approx({-3: 0, -2: 0, -1: 0.3, 0: 0.6, 1: 0.08, 2: 0, 3: 0.02})


def test_no_shift_leads_beyond_the_spine():
    """Names that would need a 26th disc, or one above the first, are not possible."""
    low = level_shifts(np.full((2, 25), 0.04), [(0, 22), (1, 23)])
    high = level_shifts(np.full((2, 25), 0.04), [(0, 0), (1, 1)])
    assert max(low) == 1 and min(low) == -3
    assert min(high) == 0 and max(high) == 3


@pytest.mark.parametrize(
    ("shifts", "said"),
    [
        ({0: 0.97, 1: 0.03}, (0,)),
        ({0: 0.6, -1: 0.35, 1: 0.05}, (0, -1)),
        ({-1: 0.3, 0: 0.4, 1: 0.3}, (0, -1, 1)),
        ({0: 0.5, -1: 0.08, 1: 0.08, 2: 0.08}, (0,)),
        ({}, (0,)),
    ],
)
def test_as_few_names_are_said_as_are_right_often_enough(shifts, said):
    """The fewest shifts whose probabilities reach that of a sure name, and none that is hardly possible."""
    assert shifts_to_say(shifts) == said
    if shifts and len(said) > 1:
        assert sum(shifts[s] for s in said[:-1]) < SURE


def test_every_possible_name_is_listed_its_own_first():
    """A disc that may be one level higher carries both names; at the end of the spine only what exists."""
    assert possible_names(25, {0: 0.5, -1: 0.45}) == ("L5/S1", "L4/L5")
    assert possible_names(25, {}) == ("L5/S1",)


def test_the_warning_says_what_else_it_may_be():
    """The other names stand in the sentence, with their probability, only where the names are not sure."""
    unsure, sure = ([Disc(v, np.zeros(3), 0.5, share) for v in (23, 24, 25)] for share in (0.55, 0.95))
    unsure = about_names(unsure[1:], range(1, 26), {0: 0.55, -1: 0.42})
    assert "it may be L3/L4 to L4/L5 (0.42)" in next(str(c) for c in unsure if c.code == "levels_uncertain")
    assert not [c for c in about_names(sure, range(1, 26), {0: 0.95, -1: 0.05})]
