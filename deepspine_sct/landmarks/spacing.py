"""Distances between neighbouring discs over a cohort: a wrong label gives one that nobody else has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..anatomy import SPACING_MM
from .curvature import distances_mm

MIN_SCANS = 8
"""With fewer distances of a level nothing can be said of any of them."""

OUTLIER = 3.5
"""Robust z-score of an outlier (Iglewicz and Hoaglin, 1993)."""

_MAD_TO_SD = 1.4826  # of a normal distribution
_LEAST_SPREAD = 0.02  # a distance known to the width of a voxel is no outlier in a uniform cohort


@dataclass(frozen=True)
class Spacing:
    """Distance from one disc to the next below it, in one scan.

    Attributes
    ----------
    scan : index of the scan
    value : value of the upper disc
    mm : the distance [mm]
    share : the distance, as a share of what one expects of a body of this size
    """

    scan: int
    value: int
    mm: float
    share: float


def spacings(scan: int, points: Mapping[int, Sequence[float]]) -> list[Spacing]:
    """Measure the distances between the discs of a scan that follow on one another.

    Parameters
    ----------
    scan : int
        Index of the scan.
    points : mapping of int to (3,) sequence
        World position of each disc value [mm].
    """
    measured = distances_mm(points)
    pairs, mm = list(measured), np.array(list(measured.values()))
    shares = mm / SPACING_MM[np.array(pairs, int) - 1]
    size = np.median(shares) if pairs else 1.0
    return [Spacing(scan, *at) for at in zip(pairs, mm.tolist(), (shares / size).tolist(), strict=True)]


def outliers(found: Sequence[Spacing]) -> list[tuple[Spacing, float]]:
    """Find the distances that are unlike those of the other scans at their level.

    Returns
    -------
    list of (Spacing, float)
        With the robust z-score, in standard deviations from the cohort's median; farthest first.
    """
    levels = defaultdict(list)
    for spacing in found:
        levels[spacing.value].append(spacing)
    far = []
    for level in levels.values():
        if len(level) >= MIN_SCANS:
            shares = np.array([spacing.share for spacing in level])
            off = shares - np.median(shares)
            scores = off / max(_MAD_TO_SD * np.median(np.abs(off)), _LEAST_SPREAD)
            far += [(s, float(z)) for s, z in zip(level, scores, strict=True) if abs(z) > OUTLIER]
    return sorted(far, key=lambda pair: -abs(pair[1]))
