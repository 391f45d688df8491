"""What the skeleton has to beat: simpler ways to name the same candidates.

Each returns points, disc value -> (3,) world position [mm], which `evaluation.metrics` scores. None
of them promises values that increase from superior to inferior, or one candidate a disc.
"""

from __future__ import annotations

import time
from itertools import islice, product

import numpy as np

from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.skeleton import SkeletonPrior


def argmax_per_channel(candidates: Candidates, threshold: float = 0.1) -> dict[int, np.ndarray]:
    """Give each disc value the candidate that its channel likes best.

    Parameters
    ----------
    candidates : Candidates
        In any order.
    threshold : float
        Least evidence of a channel that speaks.

    Returns
    -------
    dict of int to (3,) array
        Points; two values may share a candidate.
    """
    return {
        k + 1: candidates.xyz_mm[channel.argmax()]
        for k, channel in enumerate(candidates.evidence.T)
        if channel.max(initial=0) >= threshold
    }


def count_from_top(candidates: Candidates, first: int = 3) -> dict[int, np.ndarray]:
    """Call the topmost candidate `first`, by default C2/C3, and count down.

    Parameters
    ----------
    candidates : Candidates
        In any order; ghosts count as discs, and K values are counted.
    first : int
        Disc value of the topmost candidate.

    Returns
    -------
    dict of int to (3,) array
        Points.
    """
    values = range(first, candidates.evidence.shape[1] + 1)
    points_mm = candidates.xyz_mm[candidates.descending()]
    return dict(zip(values, points_mm, strict=False))


def exhaustive_skeleton(
    candidates: Candidates,
    prior: SkeletonPrior | None = None,
    per_channel: int = 4,
    threshold: float = 0.1,
    limit_s: float = 10.0,
) -> dict[int, np.ndarray]:
    """Try every combination of a few candidates a channel, and keep the most template-like chain.

    After the skeleton search of Azad et al. (2021): distances between successive tips, as shares of
    their sum, are compared with the template's. Time is exponential in the number of channels.

    Parameters
    ----------
    candidates : Candidates
        In any order.
    prior : SkeletonPrior, optional
        Source of the template's distances.
    per_channel : int
        Candidates considered a channel, those with the most evidence.
    threshold : float
        Least evidence of a candidate of a channel.
    limit_s : float
        Stop after this time with the best so far.

    Returns
    -------
    dict of int to (3,) array
        Points of every channel with a candidate.
    """
    prior = prior or SkeletonPrior.default()
    options = {
        k + 1: [i for i in np.argsort(-share, kind="stable")[:per_channel] if share[i] >= threshold]
        for k, share in enumerate(candidates.evidence.T)
    }
    options = {value: choice for value, choice in options.items() if choice}
    if not options:
        return {}
    position_mm = np.concatenate([[0], np.cumsum(prior.spacing_mm)])
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
