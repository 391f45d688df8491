"""Two groups of scans that may be one spine: every way that was tried, and what each gains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .agreement import Agreement
from .joint import Joint
from .lattice import Lattice, Sweep, Through, best, through
from .prior import SkeletonPrior
from .promising import WITHIN_NATS, promising
from .skeleton import margin, posterior_of_part


@dataclass(frozen=True, eq=False)
class Naming:
    """One naming of some scans as one spine."""

    joint: Joint
    path: list[tuple[int, int]]  # of places and 0-based values
    worth: float  # log likelihood ratio of this spine [nats]

    def names(self, j: int) -> list[tuple[int, int]]:
        """Candidates of a view on the path, with their values."""
        return [(int(self.joint.member[i, j]), v) for i, v in self.path if self.joint.member[i, j] >= 0]


@dataclass(frozen=True, eq=False)
class Group:
    """Scans that are one spine, and how sure their names are."""

    naming: Naming
    posterior: dict[int, np.ndarray]  # (n, K) of each view
    margins: dict[int, float]


@dataclass(frozen=True, eq=False)
class Try:
    """Two groups as one spine, after one movement."""

    naming: Naming
    lattice: Lattice
    forward: Sweep
    score: float  # of the path in the lattice, or of none [nats]
    gain: float  # over two spines [nats]
    agreement: Agreement

    @cached_property
    def bounds(self) -> Through:
        """Max-marginals of the lattice."""
        return through(self.lattice, best, self.forward)

    def posterior(self, prior: SkeletonPrior) -> np.ndarray:
        """(n, K) probability of each value at each place."""
        part = promising(self.lattice, self.bounds, self.score, len(prior.level_mm))
        return posterior_of_part(self.lattice, part, prior)


@dataclass(frozen=True, eq=False)
class Meeting:
    """All tries to make one of two groups."""

    one: Group
    other: Group
    tries: list[Try]

    @property
    def chosen(self) -> Try:
        """The one that gains most."""
        return max(self.tries, key=lambda a_try: a_try.gain)


def margins_of(meeting: Meeting, n_values: int) -> dict[int, float]:
    """By how much the names of each view beat others, however these come about.

    Parameters
    ----------
    meeting : Meeting
        Two groups that are joined by its best try.
    n_values : int
        Number of disc values.

    Returns
    -------
    dict of int to float
        Margin of each view [nats], at most `WITHIN_NATS`: nothing that costs more was looked at.
    """
    chosen, joint = meeting.chosen, meeting.chosen.naming.joint
    bounds = chosen.lattice.by_value(chosen.bounds.places.max(axis=1), n_values, chosen.score - WITHIN_NATS)
    margins = {}
    for j in joint.views:
        own = [(i, v) for i, v in chosen.naming.path if joint.member[i, j] >= 0]
        names = set(chosen.naming.names(j))
        rivals = [(a_try.naming, a_try.gain) for a_try in meeting.tries]
        rivals += [(side.naming, 0.0) for side in (meeting.one, meeting.other) if j in side.posterior]
        others = [chosen.gain - gain for naming, gain in rivals if 2 * len(names & set(naming.names(j))) < len(names)]
        margins[j] = min([margin(bounds, chosen.score, own), *others]) if own else 0.0
    return margins
