"""Exact sums and maxima over every way to name a chain of candidates.

A path visits some candidates in order and gives each a value; the values increase. Its log score is
the sum of

    scale[s]            of one scale s of the whole path,
    unary[i, v]         of every visited candidate i with value v,
    link[e, s, u, v]    of every step e from a candidate with value u to one with value v,
    turn[e, f]          of every two successive steps e and f.

Candidates that a path does not visit cost nothing. The state of the recursion is a step and the
value at its end, so that the directions of two successive steps can be compared, which a chain over
candidates alone cannot do. Values are 0-based indices in this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np


@dataclass(frozen=True, eq=False)
class Lattice:
    """Log scores of the parts of a path; -inf forbids. All of one floating-point type.

    Attributes
    ----------
    unary : (n, K)
        Candidate i has value v.
    scale : (S,)
        The path has scale s.
    tail, head : (E,) int
        The steps: from candidate ``tail`` to candidate ``head``, tail < head.
    link : (E, S, K, K)
        Step e goes from value u to value v; -inf unless u < v.
    turn : (E, E)
        Step f follows step e; read only where ``head[e] == tail[f]``.
    starts, ends : (n,) bool
        A path may start, and end, at candidate i.
    """

    unary: np.ndarray
    scale: np.ndarray
    tail: np.ndarray
    head: np.ndarray
    link: np.ndarray
    turn: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

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
        )

    def tempered(self, temperature: float) -> Lattice:
        """Return the lattice with every score divided by `temperature`."""
        scores = ("unary", "scale", "link", "turn")
        return replace(self, **{name: getattr(self, name) / temperature for name in scores})


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
    at : (n, S, K)
        Paths that arrive or start at a candidate with a value, its own score included.
    into : (E, S, K)
        Paths that stand at the tail of a step with a value and are about to take the step.
    message : (E, S, K)
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
    message = into.copy()
    for node in range(n):
        arriving = np.flatnonzero(lattice.head == node)
        leaving = np.flatnonzero(lattice.tail == node)
        start = np.full((1, s, k), -np.inf, dtype=at.dtype)
        if lattice.starts[node]:
            start[:] = lattice.scale[:, None]
        came = message[arriving]
        at[node] = plus(np.concatenate([start, came]), 0) + lattice.unary[node]
        turned = came[:, None] + lattice.turn[np.ix_(arriving, leaving)][..., None, None]
        fresh = np.broadcast_to(start, (1, len(leaving), s, k))
        into[leaving] = plus(np.concatenate([fresh, turned]), 0) + lattice.unary[node]
        message[leaving] = plus(into[leaving, :, :, None] + lattice.link[leaving], -2)
    return Sweep(at, into, message)


def through(lattice: Lattice, plus: Plus) -> tuple[np.ndarray, Sweep]:
    """Gather the paths through each candidate with each value, whatever the rest of the path.

    Parameters
    ----------
    lattice : Lattice
        The scores.
    plus : callable
        `best` gives max-marginals, `total` gives unnormalised log marginals.

    Returns
    -------
    through : (n, S, K)
        Log scores.
    forward : Sweep
        The walk from the first candidate on.
    """
    forward, back = sweep(lattice, plus), sweep(lattice.mirrored(), plus)
    onward = forward.into + back.message
    gathered = np.empty_like(forward.at)
    for node, at in enumerate(forward.at):
        stop = at if lattice.ends[node] else np.full_like(at, -np.inf)
        gathered[node] = plus(np.concatenate([stop[None], onward[lattice.tail == node]]), 0)
    return gathered, forward


def best_path(lattice: Lattice, forward: Sweep) -> tuple[float, list[tuple[int, int]]]:
    """Read the best path back from a walk with `BEST`.

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
    node, s, value = np.unravel_index(final.argmax(), final.shape)
    score, path, turn = final[node, s, value], [(int(node), int(value))], 0.0
    while True:
        arriving = np.flatnonzero(lattice.head == node)
        options = forward.message[arriving, s, value] + turn
        start = lattice.scale[s] if lattice.starts[node] else -np.inf
        if start >= options.max(initial=-np.inf):
            return float(score), path[::-1]
        step = arriving[options.argmax()]
        value = (forward.into[step, s] + lattice.link[step, s, :, value]).argmax()
        node, turn = lattice.tail[step], lattice.turn[lattice.head == lattice.tail[step], step]
        path.append((int(node), int(value)))


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
    score = lattice.scale.astype(float)
    for node, value in path:
        score += lattice.unary[node, value]
    steps = []
    for (node, u), (following, v) in pairwise(path):
        step = np.flatnonzero((lattice.tail == node) & (lattice.head == following))
        if len(step) == 0:
            return np.full(len(score), -np.inf)
        score += lattice.link[step[0], :, u, v]
        steps.append(step[0])
    return score + sum(lattice.turn[step, following] for step, following in pairwise(steps))
