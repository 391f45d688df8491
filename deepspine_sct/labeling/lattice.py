"""Exact sums and maxima over every way to name a chain of candidates.

A path visits some candidates in order and gives each a value; the values increase. Its log score is
the sum of

    scale[s]            of one scale s of the whole path,
    unary[i, v]         of every visited candidate i with value v,
    link[e, s, u, v]    of every step e from a candidate with value u to one with value v,
    turn[e, f]          of every two successive steps e and f.

Candidates that a path does not visit cost nothing. The state of the recursion is a step and the
value at its end, so that the directions of two successive steps can be compared, which a chain over
candidates alone cannot do. Values are 0-based indices in this module. A lattice need not hold all of
them: each candidate has a window of successive ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True, eq=False)
class Lattice:
    """Log scores of the parts of a path; -inf forbids. All of one floating-point type.

    Attributes
    ----------
    unary : (n, W)
        Candidate i has value ``first[i] + w``.
    scale : (S,)
        The path has scale s.
    tail, head : (E,) int
        The steps: from candidate ``tail`` to candidate ``head``, tail < head.
    link : (E, S, W, W)
        Step e goes from a value of its tail to a value of its head; -inf unless it is a higher one.
    turn : (E, E)
        Step f follows step e; read only where ``head[e] == tail[f]``.
    starts, ends : (n,) bool
        A path may start, and end, at candidate i.
    first : (n,) int
        The first value that is considered at candidate i.
    """

    unary: np.ndarray
    scale: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    link: np.ndarray
    turn: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray

    def mirrored(self) -> Lattice:
        """Return the lattice of the same paths walked from their end, without the scale's score."""
        last = len(self.unary) - 1
        return Lattice(
            unary=self.unary[::-1],
            scale=np.zeros_like(self.scale),
            tail=last - self.head,
            head=last - self.tail,
            link=self.link.swapaxes(2, 3),
            turn=self.turn.T,
            starts=self.ends[::-1],
            ends=self.starts[::-1],
            first=self.first[::-1],
        )

    def tempered(self, temperature: float) -> Lattice:
        """Return the lattice with every score divided by `temperature`."""
        scores = ("unary", "scale", "link", "turn")
        return replace(self, **{name: getattr(self, name) / temperature for name in scores})

    def by_value(self, of_window: np.ndarray, k: int, elsewhere: float) -> np.ndarray:
        """Spread numbers (n, W) of each candidate's values over all k values: (n, k), one number elsewhere."""
        spread = np.full((len(of_window), k), elsewhere, dtype=of_window.dtype)
        np.put_along_axis(spread, self.first[:, None] + np.arange(of_window.shape[1]), of_window, axis=1)
        return spread

    @cached_property
    def step_between(self) -> np.ndarray:
        """(n, n) index of the step from a candidate to another, -1 where there is none."""
        index = np.full((len(self.unary), len(self.unary)), -1)
        index[self.tail, self.head] = np.arange(len(self.tail))
        return index

    def steps_of(self, path: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """Return the (m - 1,) steps of a path, -1 where there is none, and their (m - 1, S) scores."""
        nodes, values = np.array(path).T
        columns = values - self.first[nodes]
        steps = self.step_between[nodes[:-1], nodes[1:]]
        return steps, self.link[steps, :, columns[:-1], columns[1:]]


Plus = Callable[[np.ndarray, int], np.ndarray]
"""How to join alternatives along an axis: `best` or `total`."""


def best(scores: np.ndarray, axis: int) -> np.ndarray:
    """Score of the best alternative along an axis."""
    return scores.max(axis=axis)


def total(scores: np.ndarray, axis: int) -> np.ndarray:
    """Logarithm of the sum of the alternatives' exponentials along an axis; all -inf gives -inf."""
    top = scores.max(axis=axis, keepdims=True)
    top[np.isneginf(top)] = 0
    shares = np.exp(scores - top)
    with np.errstate(divide="ignore"):
        return np.log(shares.sum(axis=axis)) + top.squeeze(axis)


@dataclass(frozen=True, eq=False)
class Sweep:
    """What one walk over a lattice has gathered of the paths up to each place.

    Attributes
    ----------
    at : (n, S, W)
        Paths that arrive or start at a candidate with a value, its own score included.
    into : (E, S, W)
        Paths that stand at the tail of a step with a value and are about to take the step.
    message : (E, S, W)
        The same after the step, at its head with a value, whose own score is not yet included.
    """

    at: np.ndarray
    into: np.ndarray
    message: np.ndarray


def sweep(lattice: Lattice, plus: Plus) -> Sweep:
    """Walk the lattice once from its first candidate to its last.

    Parameters
    ----------
    lattice : Lattice
        The scores.
    plus : callable
        `best` or `total`.

    Returns
    -------
    Sweep
        Log scores of the type of the links, -inf where no path leads.
    """
    (n, k), s = lattice.unary.shape, len(lattice.scale)
    at = np.full((n, s, k), -np.inf, dtype=lattice.link.dtype)
    into = np.full((len(lattice.tail), s, k), -np.inf, dtype=at.dtype)
    # One more step, the last one, stands for the paths that start at the node.
    message = np.full((len(lattice.tail) + 1, s, k), -np.inf, dtype=at.dtype)
    turn = np.vstack([lattice.turn, np.zeros_like(lattice.turn[:1])]) if len(lattice.tail) else lattice.turn
    for node in range(n):
        arriving = np.append(np.flatnonzero(lattice.head == node), -1)
        leaving = np.flatnonzero(lattice.tail == node)
        message[-1] = lattice.scale[:, None] if lattice.starts[node] else -np.inf
        came = message[arriving]
        at[node] = plus(came, 0) + lattice.unary[node]
        if len(leaving):
            turned = came[:, None] + turn[arriving[:, None], leaving, None, None]
            into[leaving] = gone = plus(turned, 0) + lattice.unary[node]
            message[leaving] = plus(gone[:, :, :, None] + lattice.link[leaving], -2)
    message = message[:-1]
    return Sweep(at, into, message)


class Through(NamedTuple):
    """What the paths through each part of a lattice amount to, whatever the rest of the path.

    Attributes
    ----------
    places : (n, S, W)
        Paths through each candidate with each value.
    starts, ends : (n, S, W)
        Those of them that start, and that end, there.
    steps : (E, S, W)
        Paths that take each step, with each value at its head.
    forward : Sweep
        The walk from the first candidate on.
    """

    places: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    steps: np.ndarray
    forward: Sweep


def through(lattice: Lattice, plus: Plus, forward: Sweep | None = None) -> Through:
    """Gather the paths through each part of a lattice.

    Parameters
    ----------
    lattice : Lattice
        The scores.
    plus : callable
        `best` gives max-marginals, `total` gives unnormalised log marginals.
    forward : Sweep, optional
        ``sweep(lattice, plus)``, where it is known.
    """
    forward, back = forward or sweep(lattice, plus), sweep(lattice.mirrored(), plus)
    ends = np.where(lattice.ends[:, None, None], forward.at, -np.inf)
    starts = np.where(lattice.starts[:, None, None], back.at[::-1] + lattice.scale[:, None], -np.inf)
    onward = forward.into + back.message
    places = np.empty_like(forward.at)
    for node, end in enumerate(ends):
        places[node] = plus(np.concatenate([end[None], onward[lattice.tail == node]]), 0)
    return Through(places, starts, ends, forward.message + back.into, forward)


def best_path(lattice: Lattice, forward: Sweep) -> tuple[float, list[tuple[int, int]]]:
    """Read the best path back from a walk with `best`.

    Parameters
    ----------
    lattice : Lattice
        The scores, at least one candidate.
    forward : Sweep
        ``sweep(lattice, best)``.

    Returns
    -------
    score : float
        Log score of the best path that visits a candidate, -inf when there is none.
    path : list of (candidate, value)
        First to last; of equal paths always the same one.
    """
    final = np.where(lattice.ends[:, None, None], forward.at, -np.inf)
    node, s, w = np.unravel_index(final.argmax(), final.shape)
    score, path, turn = final[node, s, w], [(int(node), int(w + lattice.first[node]))], 0.0
    while True:
        arriving = np.flatnonzero(lattice.head == node)
        options = forward.message[arriving, s, w] + turn
        start = lattice.scale[s] if lattice.starts[node] else -np.inf
        if start >= options.max(initial=-np.inf):
            return float(score), path[::-1]
        step = arriving[options.argmax()]
        w = (forward.into[step, s] + lattice.link[step, s, :, w]).argmax()
        node, turn = lattice.tail[step], lattice.turn[lattice.head == lattice.tail[step], step]
        path.append((int(node), int(w + lattice.first[node])))


def along(lattice: Lattice, path: list[tuple[int, int]]) -> np.ndarray:
    """Score one path.

    Parameters
    ----------
    lattice : Lattice
        The scores.
    path : list of (candidate, value)
        First to last, at least one.

    Returns
    -------
    (S,) float64
        Log score at each scale; -inf where the path takes a step that does not exist.
    """
    nodes, values = np.array(path).T
    steps, links = lattice.steps_of(path)
    if (steps < 0).any():
        return np.full(len(lattice.scale), -np.inf)
    score = lattice.unary[nodes, values - lattice.first[nodes]].sum(dtype=float)
    score += lattice.turn[steps[:-1], steps[1:]].sum(dtype=float)
    return lattice.scale + score + links.sum(axis=0, dtype=float)
