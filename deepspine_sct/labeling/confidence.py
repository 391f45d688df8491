"""Confidence in a disc and in the names as a whole: its limits, and all that lowers it later.

The ordering gives both first values, as probabilities over all ways to name the candidates (see
`skeleton`). What is seen afterwards lowers them through this module, and through no other: the
border of the image, a second look that sees a disc elsewhere, an image that hardly fits a spine,
and voxels that hardly show discs.
"""

from __future__ import annotations

import math
from collections.abc import Collection
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


HALF_SEEN_MM = 3.0
"""A disc closer to the border of the image is seen in part. On 120 simulated spines that score
nothing else, in five windows each, 105 discs lay on no disc of the image; with this 71 do, six more
discs are missed, and 489 instead of 472 of 597 images are right."""

HALF_SEEN_SD_MM = 3.0
"""Standard deviation of the place of such a disc along the spine; with 2 to 6 mm as good."""

JUST_BEYOND_MM = 1.0
"""A disc that is seen so little beyond the border stays where those beside it are expected to have it
inside. Of 720 images of 120 simulated spines that score nothing else, 555 instead of 554 are right with it, and of
28 real lumbar scans one more: its uppermost disc is seen 0.05 mm beyond."""

_BESIDE = 3  # discs from which the next one is expected


def seen_elsewhere(disc: Disc) -> Disc:
    """Doubt a disc that a second look sees, but at another place."""
    return replace(disc, confidence=DISAGREEMENT * disc.confidence)


def doubted(labeling: Labeling, share: float, caution: Caution, values: Collection[int] | None = None) -> Labeling:
    """Leave a share of every confidence, or of that in some discs alone, and say why before all other cautions."""
    discs = [
        replace(disc, confidence=share * disc.confidence) if values is None or disc.value in values else disc
        for disc in labeling.discs
    ]
    return replace(
        labeling,
        discs=discs,
        level_confidence=(share if values is None else 1) * labeling.level_confidence,
        warnings=[caution, *labeling.warnings],
    )


def within_image(labeling: Labeling, grid: Grid, prior: SkeletonPrior, keep: Collection[int] = ()) -> Labeling:
    """Drop the discs whose tip lies beyond an image, and doubt those at its border.

    The network tells from half a disc at the border where the whole one is, but a tip is found
    with an error: near the border it may lie on either side. The confidence in a disc includes
    that it is in the image. Beyond the left and the right border a disc stays: a slab shows it.

    Half a disc is also drawn to the border. So the first and the last disc must lie in the image
    where the discs beside them let them be expected, too, see `_expected`. Where that is so, one
    that is seen just beyond the border is placed on it.

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
    to_border_mm = {disc.value: _to_border_mm(disc.xyz_mm, grid) for disc in labeling.discs}
    inside = [disc for disc in labeling.discs if disc.value in keep or to_border_mm[disc.value] >= 0]
    just_beyond = [
        disc for disc in labeling.discs if disc.value not in keep and -JUST_BEYOND_MM <= to_border_mm[disc.value] < 0
    ]
    expected_inside = _expected(inside, prior)
    discs = []
    for disc in [*inside, *just_beyond]:
        to_mm = to_border_mm[disc.value]
        if disc.value in keep:
            discs.append(disc)
            continue
        expected = expected_inside if to_mm >= 0 else _expected([*inside, disc], prior)
        if _half_seen(disc, to_mm, expected, grid) >= 0:
            share = 0.5 * (1 + math.erf(to_mm / prior.tip_sd_mm / math.sqrt(2)))
            place_mm = disc.xyz_mm if to_mm >= 0 else _on_border(disc.xyz_mm, grid)
            discs.append(replace(disc, xyz_mm=place_mm, confidence=disc.confidence * share))
    discs.sort(key=lambda disc: disc.value)
    if labeling.discs and not discs:
        return Labeling(warnings=[Caution("no_disc", "no disc found: all that is seen of one lies beyond the image")])
    return replace(labeling, discs=discs)


def _to_border_mm(xyz_mm: np.ndarray, grid: Grid) -> float:
    """Measure how far a place (3,) lies inside of the nearest border of a slab; negative beyond it."""
    at_px = grid.to_index(xyz_mm)[1:] + 0.5
    return float(np.min(np.minimum(at_px, np.array(grid.shape[1:]) - at_px) * grid.zooms_mm[1:]))


def _on_border(xyz_mm: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the place (3,) on an outermost pixel, of the rows and the columns, that is nearest to one beyond it."""
    at_px = grid.to_index(xyz_mm)
    at_px[1:] = np.clip(at_px[1:], 0, np.array(grid.shape[1:]) - 1)
    return grid.to_world(at_px)


def _half_seen(disc: Disc, to_border_mm: float, expected: dict[int, tuple[np.ndarray, float]], grid: Grid) -> float:
    """Return how far inside a disc lies by what is seen and by what is expected, each as sure as it is."""
    if disc.value not in expected or to_border_mm > HALF_SEEN_MM:
        return to_border_mm
    xyz_mm, sd_mm = expected[disc.value]
    share = HALF_SEEN_SD_MM**2 / (HALF_SEEN_SD_MM**2 + sd_mm**2)
    return (1 - share) * to_border_mm + share * _to_border_mm(xyz_mm, grid)


def _expected(found: list[Disc], prior: SkeletonPrior) -> dict[int, tuple[np.ndarray, float]]:
    """Expect the first and the last disc from those beside them: value to place (3,) and its standard deviation, in mm.

    The spine goes on in its direction, in the size that it has there.
    """
    found = sorted(found, key=lambda disc: disc.value)
    expected = {}
    along_mm = np.append(0, np.cumsum(prior.spacing_mm))
    for discs in (found, found[::-1]):
        if len(discs) <= _BESIDE:
            continue
        values = np.array([disc.value for disc in discs[: _BESIDE + 1]])
        xyz_mm = np.array([disc.xyz_mm for disc in discs[: _BESIDE + 1]])
        gaps_mm = np.linalg.norm(np.diff(xyz_mm, axis=0), axis=1)
        usual_mm = np.abs(np.diff(along_mm[values - 1]))
        gap_mm = usual_mm[0] * float(np.median(gaps_mm[1:] / usual_mm[1:]))
        place_mm = xyz_mm[1] + (xyz_mm[0] - xyz_mm[1]) * gap_mm / gaps_mm[0]
        expected[discs[0].value] = place_mm, prior.spread[values[:2].min() - 1] * gap_mm
    return expected
