"""Confidence in a disc and in the names as a whole: its limits, and what the place of a disc does to it later.

The ordering gives both first values, as probabilities over all ways to name the candidates (see
`skeleton`). What is seen afterwards lowers them: here the border of the image and a second look that
sees a disc elsewhere; with a reason that the user must know, through `cautions.doubted` and no other way.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from ..caution import Caution
from ..image.grid import Grid
from .discs import Disc, Labeling
from .prior import SkeletonPrior

SURE = 0.9
"""Below this the user is warned: of the names as a whole, and in pictures of a single disc."""

UNLIKELY = 0.5
"""A disc below this is more likely wrong than right, so it is named in a warning."""


DISAGREEMENT = 0.9
"""Factor on the confidence in a disc that both looks see, each elsewhere: of 153 such discs with more
than 0.9, 14 lay more than 5 mm off, against 22 of 2,509 others (30 simulated spines that score
nothing else)."""


HALF_SEEN_MM = 6.0
"""A disc closer to the border of the image is seen in part, and drawn into it: of 40 tips that are seen up to 1 mm
inside, 4 lie inside. With 4 to 8 mm, 1,052 to 1,055 of 1,200 images of 240 simulated spines are right."""

HALF_SEEN_SD_MM = 3.0
"""Standard deviation of the place of such a disc along the spine; with 2 to 4 mm as good."""

_BESIDE = 3  # discs from which the next one is expected


def rounded(confidence: float, digits: int) -> float:
    """Round a confidence, but over no limit: 0.899 must not be told as the 0.90 from which on a name is sure."""
    near = round(float(confidence), digits)
    crosses = any(confidence < limit <= near for limit in (UNLIKELY, SURE))
    return round(near - 10**-digits, digits) if crosses else near


def in_two_digits(confidence: float) -> str:
    """Write a confidence, of a disc or of the names as a whole, as people are told it; see `rounded`."""
    return f"{rounded(confidence, 2):.2f}"


def name_share(posterior: np.ndarray) -> np.ndarray:
    """(n, K) probability of each name of a place, if it is a disc, by that of being one with this name."""
    of_disc = posterior.sum(axis=1, keepdims=True)
    return np.divide(posterior, of_disc, out=np.zeros_like(posterior), where=of_disc > 0)


def least_sure(discs: Sequence[Disc]) -> float:
    """Confidence in the names as a whole: that in the least sure one. One disc too many shifts only those beyond it."""
    return min((disc.name_confidence for disc in discs), default=0.0)


def seen_elsewhere(disc: Disc) -> Disc:
    """Doubt a disc that a second look sees, but at another place."""
    return replace(disc, confidence=DISAGREEMENT * disc.confidence)


def within_image(labeling: Labeling, grid: Grid, prior: SkeletonPrior, keep: Collection[int] = ()) -> Labeling:
    """Drop the discs whose tip lies beyond an image, and doubt those at its border.

    The network tells from half a disc at the border where the whole one is, but a tip is found
    with an error: near the border it may lie on either side. The confidence in a disc includes
    that it is in the image. Beyond the left and the right border a disc stays: a slab shows it.

    The first and the last disc can also be expected from those beside them. Near the border they are placed between
    where they are seen and where they are expected, see `_placed`.

    Parameters
    ----------
    labeling : Labeling
        The discs.
    grid : Grid
        Of the image, in (L, I, P).
    prior : SkeletonPrior
        Distances between discs, and the standard deviation of a tip's position along one axis.
    keep : collection of int
        Disc values that stay as they are, wherever that is.
    """
    found = sorted(labeling.discs, key=lambda disc: disc.value)
    for end in (0, -1):
        while found and found[end].value not in keep:
            placed = _placed(found[:: 1 if end == 0 else -1], grid, prior)
            if _to_border_mm(placed.xyz_mm, grid) >= 0:
                found[end] = placed
                break
            del found[end]
    discs = []
    for disc in found:
        to_mm = _to_border_mm(disc.xyz_mm, grid)
        if disc.value in keep:
            discs.append(disc)
        elif to_mm >= 0:
            share = 0.5 * (1 + math.erf(to_mm / prior.tip_sd_mm / math.sqrt(2)))
            discs.append(replace(disc, confidence=disc.confidence * share))
    if labeling.discs and not discs:
        return Labeling(warnings=[Caution("no_disc", "no disc found: all that is seen of one lies beyond the image")])
    return replace(labeling, discs=discs)


def _to_border_mm(xyz_mm: np.ndarray, grid: Grid) -> float:
    """Measure how far a place (3,) lies inside of the nearest border of a slab; negative beyond it."""
    at_px = grid.to_index(xyz_mm)[1:] + 0.5
    return float(np.min(np.minimum(at_px, np.array(grid.shape[1:]) - at_px) * grid.zooms_mm[1:]))


def _placed(found: list[Disc], grid: Grid, prior: SkeletonPrior) -> Disc:
    """Place the first of some discs, if the border is near, by what is seen and what is expected of it.

    Expected is that the spine goes on from the discs beside it in its direction, in the size that it has there. Each of
    the two counts as much as it is sure.
    """
    disc = found[0]
    if len(found) <= _BESIDE or _to_border_mm(disc.xyz_mm, grid) > HALF_SEEN_MM:
        return disc
    values = np.array([disc.value for disc in found[: _BESIDE + 1]])
    xyz_mm = np.array([disc.xyz_mm for disc in found[: _BESIDE + 1]])
    gaps_mm = np.linalg.norm(np.diff(xyz_mm, axis=0), axis=1)
    along_mm = np.append(0, np.cumsum(prior.spacing_mm))
    usual_mm = np.abs(np.diff(along_mm[values - 1]))
    gap_mm = usual_mm[0] * float(np.median(gaps_mm[1:] / usual_mm[1:]))
    expected_mm = xyz_mm[1] + (xyz_mm[0] - xyz_mm[1]) * gap_mm / gaps_mm[0]
    sd_mm = prior.spread[values[:2].min() - 1] * gap_mm
    share = HALF_SEEN_SD_MM**2 / (HALF_SEEN_SD_MM**2 + sd_mm**2)
    return replace(disc, xyz_mm=(1 - share) * disc.xyz_mm + share * expected_mm)
