"""Distances and angles between discs, and the curves of the spine that follow from them.

All angles lie in the sagittal plane of the world (y and z), so a bend to the side does not count. A
vertebra is taken to point from the posterior tip of the disc above it to that of the disc below it,
which is nearly the line along the posterior wall of its body: the tangent of Harrison's posterior
tangent method. An angle is positive where the spine is lordotic (hollow at the back) and negative
where it is kyphotic.

References
----------
Harrison DE, et al. Cobb method or Harrison posterior tangent method: which to choose for lateral
cervical radiographic analysis. Spine 2000;25:2072-2078.
Harrison DE, et al. Reliability of centroid, Cobb, and Harrison posterior tangent methods: which to
choose for analysis of thoracic kyphosis. Spine 2001;26:E227-E234.
Harrison DE, et al. Radiographic analysis of lumbar lordosis: centroid, Cobb, TRALL, and Harrison
posterior tangent methods. Spine 2001;26:E235-E242.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

CURVES = {
    "cervical_lordosis_C3_C7": (3, 7),
    "thoracic_kyphosis_T1_T12": (8, 19),
    "thoracic_kyphosis_T4_T12": (11, 19),
    "lumbar_lordosis_L1_L5": (20, 24),
}
"""Disc above the first and above the last vertebra of each curve. C2 is left out: what lies above its
body is the dens and no disc. The sacrum is left out, as its end plate is no disc tip."""

Points = Mapping[int, Sequence[float]]


def distances_mm(points: Points) -> dict[int, float]:
    """Measure how far each disc is from the next one below it.

    Parameters
    ----------
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.

    Returns
    -------
    dict of int to float
        By the value of the upper disc; only where both discs are there [mm].
    """
    return {
        value: float(np.linalg.norm(np.subtract(points[value], points[value + 1])))
        for value in sorted(points)
        if value + 1 in points
    }


def disc_angles_deg(points: Points) -> dict[int, float]:
    """Measure by how much the spine bends at each disc: from the vertebra above to the one below.

    Parameters
    ----------
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.

    Returns
    -------
    dict of int to float
        By the value of the disc; only where its two neighbours are there [degrees].
    """
    return {
        value: _bend_deg(points, value - 1, value)
        for value in sorted(points)
        if value - 1 in points and value + 1 in points
    }


def angles(points: Points) -> dict[str, float]:
    """Measure the curves of `CURVES` whose four discs are there.

    Parameters
    ----------
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.

    Returns
    -------
    dict of str to float
        Angle of each curve by its name [degrees]: positive for lordosis, also in the names that
        say kyphosis, where it is therefore negative as a rule.
    """
    return {
        name: _bend_deg(points, first, last)
        for name, (first, last) in CURVES.items()
        if {first, first + 1, last, last + 1} <= set(points)
    }


def _bend_deg(points: Points, upper: int, lower: int) -> float:
    """Angle from the vertebra below one disc to that below another, positive for lordosis [degrees]."""
    headings = []
    for value in (upper, lower):
        _, forwards, upwards = np.subtract(points[value + 1], points[value])
        headings.append(np.arctan2(forwards, -upwards))  # 0 is straight down, positive is to the front
    # In a lordosis the upper vertebra points down and to the front, the lower one to the back.
    return float((np.degrees(headings[0] - headings[1]) + 180) % 360 - 180)
