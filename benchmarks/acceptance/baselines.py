"""What the skeleton has to beat: simpler ways to name the same candidates.

Each returns points, disc value -> (3,) world position [mm], which `evaluation.metrics` scores. None
of them promises values that increase from superior to inferior, or one candidate for each disc.
"""

from __future__ import annotations

import time
from itertools import islice, product

import numpy as np

from deepspine_sct import anatomy
from deepspine_sct.labeling.heatmap import Candidates

SPEAKS = 0.1
"""Least evidence of a channel for a candidate."""

PER_CHANNEL = 4
"""Candidates that the exhaustive search considers for each channel, those with the most evidence."""

C2_C3 = 3


def argmax_per_channel(candidates: Candidates) -> dict[int, np.ndarray]:
    """Give each disc value the candidate that its channel likes best.

    Parameters
    ----------
    candidates : Candidates
        In any order.

    Returns
    -------
    dict of int to (3,) array
        Points; two values may share a candidate.
    """
    return {
        k + 1: candidates.xyz_mm[channel.argmax()]
        for k, channel in enumerate(candidates.evidence.T)
        if channel.max(initial=0) >= SPEAKS
    }


def count_from_top(candidates: Candidates) -> dict[int, np.ndarray]:
    """Call the topmost candidate C2/C3, and count down.

    Parameters
    ----------
    candidates : Candidates
        In any order; ghosts count as discs, and K values are counted.

    Returns
    -------
    dict of int to (3,) array
        Points.
    """
    values = range(C2_C3, candidates.evidence.shape[1] + 1)
    points_mm = candidates.xyz_mm[candidates.descending()]
    return dict(zip(values, points_mm, strict=False))


def exhaustive_skeleton(candidates: Candidates, limit_s: float = 10.0) -> dict[int, np.ndarray]:
    """Try every combination of a few candidates for each channel, and keep the most template-like chain.

    After the skeleton search of Azad et al. (2021): distances between successive tips, as shares of
    their sum, are compared with the template's. Time is exponential in the number of channels.

    Parameters
    ----------
    candidates : Candidates
        In any order.
    limit_s : float
        Stop after this time with the best so far.

    Returns
    -------
    dict of int to (3,) array
        Points of every channel with a candidate.
    """
    options = {
        k + 1: [i for i in np.argsort(-share, kind="stable")[:PER_CHANNEL] if share[i] >= SPEAKS]
        for k, share in enumerate(candidates.evidence.T)
    }
    options = {value: choice for value, choice in options.items() if choice}
    if not options:
        return {}
    position_mm = np.concatenate([[0], np.cumsum(anatomy.SPACING_MM)])
    template = _shares(np.diff(position_mm[np.array(list(options)) - 1]))
    combinations = product(*options.values())
    best, best_cost, deadline_s = None, np.inf, time.monotonic() + limit_s
    while block := list(islice(combinations, 4096)):
        chains_mm = candidates.xyz_mm[np.array(block)]  # (block, channels, 3)
        steps_mm = np.linalg.norm(np.diff(chains_mm, axis=1), axis=2)
        cost = ((_shares(steps_mm) - template) ** 2).sum(axis=1)
        if cost.min() < best_cost:
            best, best_cost = block[cost.argmin()], cost.min()
        if time.monotonic() > deadline_s:
            break
    return {value: candidates.xyz_mm[i] for value, i in zip(options, best, strict=True)}


def _shares(steps_mm: np.ndarray) -> np.ndarray:
    """Scale distances (..., m) [mm] to sum to 1."""
    return steps_mm / np.maximum(steps_mm.sum(axis=-1, keepdims=True), 1e-6)
