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

SURE = 0.9
"""Below this the user is warned: of the names as a whole, and in pictures of a single disc."""

UNLIKELY = 0.5
"""A disc below this is more likely wrong than right, so it is named in a warning."""

DISAGREEMENT = 0.9
"""Factor on the confidence in a disc that both looks see, each elsewhere: of 153 such discs with more
than 0.9, 14 lay more than 5 mm off, against 22 of 2,509 others (30 simulated spines that score
nothing else)."""


def seen_elsewhere(disc: Disc) -> Disc:
    """Doubt a disc that a second look sees, but at another place."""
    return replace(disc, confidence=DISAGREEMENT * disc.confidence)


def doubted(labeling: Labeling, share: float, caution: Caution) -> Labeling:
    """Leave a share of every confidence, and say why before all other cautions."""
    discs = [replace(disc, confidence=share * disc.confidence) for disc in labeling.discs]
    return replace(
        labeling,
        discs=discs,
        level_confidence=share * labeling.level_confidence,
        warnings=[caution, *labeling.warnings],
    )


def within_image(labeling: Labeling, grid: Grid, tip_sd_mm: float, keep: Collection[int] = ()) -> Labeling:
    """Drop the discs whose tip lies beyond an image, and doubt those at its border.

    The network tells from half a disc at the border where the whole one is, but a tip is found
    with an error: near the border it may lie on either side. The confidence in a disc includes
    that it is in the image. Beyond the left and the right border a disc stays: a slab shows it.

    Parameters
    ----------
    labeling : Labeling
        The discs.
    grid : Grid
        Of the image, in (L, I, P).
    tip_sd_mm : float
        Standard deviation of a tip's position along one axis.
    keep : collection of int
        Disc values that stay as they are, wherever that is.
    """
    height_px, width_px = np.array(grid.shape)[1:]
    discs = []
    for disc in labeling.discs:
        row, column = grid.to_index(disc.xyz_mm)[1:] + 0.5
        to_border_px = min(row, height_px - row), min(column, width_px - column)
        to_border_mm = float(np.min(to_border_px * grid.zooms_mm[1:]))
        if disc.value in keep:
            discs.append(disc)
        elif to_border_mm >= 0:
            inside = 0.5 * (1 + math.erf(to_border_mm / tip_sd_mm / math.sqrt(2)))
            discs.append(replace(disc, confidence=disc.confidence * inside))
    return replace(labeling, discs=discs)
