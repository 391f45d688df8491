"""Named discs: the answer to one image."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from ..anatomy import disc_name
from ..caution import Caution


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
    name_confidence : float
        Probability in [0, 1] that it has this name, if it is a disc.
    """

    value: int
    xyz_mm: np.ndarray
    confidence: float
    name_confidence: float = 1.0

    @property
    def name(self) -> str:
        """Anatomical name, for example ``C2/C3``."""
        return disc_name(self.value)


class Rating(NamedTuple):
    """How well the best labeling of an image fits a spine, without its names.

    Attributes
    ----------
    score : float
        As `Labeling.score`.
    n_discs : int
        Discs that were found.
    """

    score: float = 0.0
    n_discs: int = 0

    @property
    def fit(self) -> float:
        """The score for a disc, on average [nats]."""
        return self.score / max(self.n_discs, 1)


@dataclass(frozen=True, eq=False)
class Labeling:
    """The discs of one image and what their names are worth.

    Attributes
    ----------
    discs : list of Disc
        Superior to inferior, values strictly increasing; empty when no disc was found.
    level_confidence : float
        Probability in [0, 1] that the names as a whole are right, and neither all nor a part of them shifted by a
        level: that of the least sure name.
    level_margin : float
        By how much [nats] the names beat the best ones that rename most of the discs, at least;
        infinite when nothing else is possible.
    warnings : list of Caution
        Sentences for the user: gaps, uncertain names, few discs.
    score : float
        Log likelihood ratio [nats] of the whole labeling against an image without discs.
    fit : float
        The same for a disc, on average over all that were found, reported or not [nats].
    shifts : mapping of int to float
        Probability that all names are off by so many levels; see `level_shifts`. Empty where nobody asked.
    """

    discs: list[Disc] = field(default_factory=list)
    level_confidence: float = 0.0
    level_margin: float = 0.0
    warnings: list[Caution] = field(default_factory=list)
    score: float = 0.0
    fit: float = 0.0
    shifts: Mapping[int, float] = field(default_factory=dict)

    @property
    def points(self) -> dict[int, np.ndarray]:
        """World RAS+ position (3,) [mm] of each disc value, superior to inferior."""
        return {disc.value: disc.xyz_mm for disc in self.discs}

    def only(self, values: Collection[int] | None) -> Labeling:
        """Leave out the discs that are not asked for; None asks for all."""
        if values is None:
            return self
        return replace(self, discs=[disc for disc in self.discs if disc.value in values])
