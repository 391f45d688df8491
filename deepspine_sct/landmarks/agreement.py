"""Scans of one session show one spine: a disc that has one name here and another one there is named wrongly once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .curvature import Points

SAME_DISC_MM = 8.0
"""Points that are nearer than this are one disc: neighbours are 11 mm apart at least (C1/C2 to C2/C3)."""

FEWEST = 3
"""So many discs must lie on discs of the other scan before anything is said: people move between scans."""


def shift_between(here: Points, there: Points) -> int:
    """Find by how many levels the names of two scans of one session differ.

    Parameters
    ----------
    here, there : mapping of int to (3,) sequence
        World RAS+ mm of each disc value, in the world of one scanner session.

    Returns
    -------
    int
        Levels by which the values of `here` lie above those of `there`, by the word of most discs
        that lie on one another; 0 where they agree, where there are fewer than `FEWEST` such
        discs, or where those contradict each other.
    """
    if not here or not there:
        return 0
    values_there = np.array(list(there))
    places_there = np.array(list(there.values()))
    differences = []
    for value, xyz_mm in here.items():
        far_mm = np.linalg.norm(places_there - np.asarray(xyz_mm), axis=1)
        nearest = int(far_mm.argmin())
        if far_mm[nearest] < SAME_DISC_MM:
            differences.append(value - int(values_there[nearest]))
    found, counts = np.unique(differences, return_counts=True)
    if not len(found) or counts.max() < FEWEST or counts.max() < 0.75 * len(differences):
        return 0
    return int(found[counts.argmax()])


def contradicted(scans: Sequence[Points]) -> list[tuple[int, int, int]]:
    """List the pairs of scans of one session that name one spine differently.

    Returns
    -------
    list of (int, int, int)
        Index of a scan, of the other one, and the levels by which the first one is higher.
    """
    return [
        (first, second, shift)
        for first in range(len(scans))
        for second in range(len(scans))
        if first != second and (shift := shift_between(scans[first], scans[second]))
    ]
