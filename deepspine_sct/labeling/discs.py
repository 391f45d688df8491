"""Named discs: the answer to one image."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np

from ..anatomy import disc_name
from ..image.grid import Grid


@dataclass(frozen=True, eq=False)
class Disc:
    """One disc that was found and named.

    Attributes
    ----------
    value : int
        Disc value, 1 (top of C1) to 25 (L5/S1).
    xyz_mm : (3,)
        World RAS+ position of the posterior tip [mm].
    confidence : float
        Probability in [0, 1] that a disc is there and has this name.
    """

    value: int
    xyz_mm: np.ndarray
    confidence: float

    @property
    def name(self) -> str:
        """Anatomical name, for example ``C2/C3``."""
        return disc_name(self.value)


@dataclass(frozen=True, eq=False)
class Labeling:
    """The discs of one image and what their names are worth.

    Attributes
    ----------
    discs : list of Disc
        Superior to inferior, values strictly increasing; empty when no disc was found.
    level_confidence : float
        Probability in [0, 1] that the names as a whole are right, not shifted by a level.
    level_margin : float
        By how much [nats] the names beat the best ones that rename most of the discs, at least;
        infinite when nothing else is possible.
    warnings : list of str
        Sentences for the user: gaps, uncertain names, few discs.
    score : float
        Log likelihood ratio [nats] of the whole labeling against an image without discs.
    fit : float
        The same for a disc, on average over all that were found, reported or not [nats].
    """

    discs: list[Disc] = field(default_factory=list)
    level_confidence: float = 0.0
    level_margin: float = 0.0
    warnings: list[str] = field(default_factory=list)
    score: float = 0.0
    fit: float = 0.0

    @property
    def points(self) -> dict[int, np.ndarray]:
        """World RAS+ position (3,) [mm] of each disc value, superior to inferior."""
        return {disc.value: disc.xyz_mm for disc in self.discs}

    def within(self, grid: Grid, tip_sd_mm: float, keep: Collection[int] = ()) -> Labeling:
        """Drop the discs whose tip lies beyond an image, and doubt those at its border.

        The network tells from half a disc at the border where the whole one is, but a tip is found
        with an error: near the border it may lie on either side. The confidence in a disc includes
        that it is in the image. Beyond the left and the right border a disc stays: a slab shows it.

        Parameters
        ----------
        grid : Grid
            Of the image, in (L, I, P).
        tip_sd_mm : float
            Standard deviation of a tip's position along one axis.
        keep : collection of int
            Disc values that stay as they are, wherever that is.
        """
        height_px, width_px = np.array(grid.shape)[1:]
        discs = []
        for disc in self.discs:
            row, column = grid.to_index(disc.xyz_mm)[1:] + 0.5
            to_border_px = min(row, height_px - row), min(column, width_px - column)
            to_border_mm = float(np.min(to_border_px * grid.zooms_mm[1:]))
            if disc.value in keep:
                discs.append(disc)
            elif to_border_mm >= 0:
                inside = 0.5 * (1 + math.erf(to_border_mm / tip_sd_mm / math.sqrt(2)))
                discs.append(replace(disc, confidence=disc.confidence * inside))
        return replace(self, discs=discs)
