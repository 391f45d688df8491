"""By how many levels may the names of an image be off: what is said where one name is not enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..anatomy import DISC_NAMES
from .confidence import SURE, name_share

_FARTHEST = 3
"""Shifts by more levels are not looked at: over those that are, hardly any probability is missing."""


def level_shifts(posterior: np.ndarray, path: Sequence[tuple[int, int]]) -> dict[int, float]:
    """Compare the names of a path with the same names some levels higher or lower.

    Parameters
    ----------
    posterior : (n, K) array
        Probability that candidate i is a disc of value index v.
    path : sequence of (int, int)
        Candidate and value index of each disc, at least one.

    Returns
    -------
    dict of int to float
        Probability of each shift, 0 for the names as they are and 1 for those one level lower: the median over the
        discs. A shift beyond the first or the last disc has none.
    """
    index, values = np.array(path).T
    share = name_share(posterior[index])
    shifts = {}
    for shift in range(-_FARTHEST, _FARTHEST + 1):
        shifted = values + shift
        if shifted.min() >= 0 and shifted.max() < posterior.shape[1]:
            shifts[shift] = float(np.median(share[np.arange(len(index)), shifted]))
    return shifts


def shifts_to_say(shifts: Mapping[int, float]) -> tuple[int, ...]:
    """Return the fewest shifts, the one that was chosen first, that are right together as often as a sure name is.

    They are chosen by their probability until these sum to `confidence.SURE`; one that is less likely than the doubt
    that a sure name leaves is never said.
    """
    said, total = [0], shifts.get(0, 1.0)
    for shift in sorted(shifts.keys() - {0}, key=lambda s: (-shifts[s], s)):
        if total >= SURE or shifts[shift] < 1 - SURE:
            break
        said.append(shift)
        total += shifts[shift]
    return tuple(said)


def possible_names(value: int, shifts: Mapping[int, float]) -> tuple[str, ...]:
    """Name a disc under every shift that must be said, its own name first."""
    values = (value + shift for shift in shifts_to_say(shifts))
    return tuple(DISC_NAMES[v] for v in values if v in DISC_NAMES)
