"""The part of a lattice that comes near to its best path: all that a sum over paths, or another scan, need look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lattice import Lattice, Through
from .steps import Window

WITHIN_NATS = 25.0
"""What lies only on paths that are so much worse than the best one is not considered. In a sum over paths it is no more
than rounding, and what other scans of a session say can hardly make up for it: a disc that two scans share is worth up
to 1.4, a step that none of them shows by itself up to 3 nats."""


@dataclass(frozen=True, eq=False)
class Promising:
    """What lies on a path that comes near to the best one.

    Attributes
    ----------
    values : (n, K) bool
        A candidate with a value.
    steps : (n, n) bool
        The step from a candidate to another.
    starts, ends : (n,) bool
        A candidate as the first, and as the last, of the path.
    scales : (S,) bool
        A body size.
    """

    values: np.ndarray
    steps: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    scales: np.ndarray

    @classmethod
    def everything(cls, n: int, n_values: int, n_scales: int) -> Promising:
        """Return all that n candidates may be."""
        shapes = (n, n_values), (n, n), n, n, n_scales
        return cls(*(np.ones(shape, dtype=bool) for shape in shapes))


def promising(lattice: Lattice, bounds: Through, top: float, n_values: int) -> Promising:
    """Find what comes near to the best path.

    Parameters
    ----------
    lattice : Lattice
        The scores.
    bounds : Through
        Its max-marginals.
    top : float
        Score of the best path, or of none.
    n_values : int
        Number of disc values.
    """
    n, least = len(lattice.unary), top - WITHIN_NATS
    steps = np.zeros((n, n), dtype=bool)
    steps[lattice.tail, lattice.head] = (bounds.steps >= least).any(axis=(1, 2))
    return Promising(
        values=lattice.by_value((bounds.places >= least).any(axis=1), n_values, False),
        steps=steps,
        starts=(bounds.starts >= least).any(axis=(1, 2)),
        ends=(bounds.ends >= least).any(axis=(1, 2)),
        scales=(bounds.places >= least).any(axis=(0, 2)),
    )


def narrowed(lattice: Lattice, part: Promising) -> tuple[Lattice, np.ndarray]:
    """Keep the promising part of a lattice.

    Returns
    -------
    Lattice
        Over m of its candidates.
    (m,) array of int
        Which they are.
    """
    nodes = np.flatnonzero(part.values.any(axis=1))
    steps = np.flatnonzero(part.steps[lattice.tail, lattice.head])
    tail, head = (np.searchsorted(nodes, ends[steps]) for ends in (lattice.tail, lattice.head))
    whole = Window(lattice.first[nodes], lattice.unary.shape[1])
    window = Window.around(np.take_along_axis(part.values[nodes], whole.values, axis=1))
    columns = window.values
    scales = np.flatnonzero(part.scales)
    u, v = columns[tail], columns[head]
    small = Lattice(
        unary=np.take_along_axis(lattice.unary[nodes], columns, axis=1),
        scale=lattice.scale[scales],
        tail=tail,
        head=head,
        link=lattice.link[steps[:, None, None, None], scales[:, None, None], u[:, None, :, None], v[:, None, None, :]],
        turn=lattice.turn[np.ix_(steps, steps)],
        starts=lattice.starts[nodes],
        ends=lattice.ends[nodes],
        first=whole.first + window.first,
    )
    return small, nodes
