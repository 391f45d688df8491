"""What a naming scores for what images show: a candidate's value, and how far two are apart.

All scores are log likelihood ratios [nats] of a spine against ghosts; `SkeletonPrior` says what each
number is and where it comes from.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .heatmap import Candidates
from .prior import SkeletonPrior


def toll(z: np.ndarray, knee: float) -> np.ndarray:
    """Cost of a deviation of z standard deviations: z^2 / 2 near zero, linear beyond `knee`."""
    return knee**2 * (np.sqrt(1 + (z / knee) ** 2) - 1)


def log_peak(sd: np.ndarray | float, span: float) -> np.ndarray:
    """Log likelihood ratio of a Gaussian's peak against a ghost that may be anywhere on `span`."""
    return np.log(span / (sd * math.sqrt(math.tau)))


def candidate_score(
    candidates: Candidates, prior: SkeletonPrior, pinned: dict[int, int], elsewhere: float = 0.0
) -> np.ndarray:
    """(n, K) score of each candidate for each value: is there a disc, and which.

    ``elsewhere`` discs are seen in other images of the same person.
    """
    k = len(prior.level_mm)
    dependence = 1 + prior.correlation * max(candidates.strength.sum() - 1, 0) + prior.kinship * elsewhere

    odds = np.clip(candidates.strength, 0.01, 0.99)
    score = np.repeat(prior.strength_weight * np.log(odds / (1 - odds))[:, None], k, axis=1)

    share = prior.evidence_floor / k + (1 - prior.evidence_floor) * _shares(candidates, k)
    score += prior.evidence_weight / dependence * np.log(k * share)

    levels_mm = np.array(prior.level_mm)
    z = (candidates.level_mm[:, None] - levels_mm) / prior.level_sd_mm
    peak = log_peak(prior.level_sd_mm, np.ptp(levels_mm))
    level = prior.level_weight / dependence * (peak - toll(z, prior.knee))
    score += np.where(np.isnan(level), 0, level)

    for i, value in pinned.items():
        score[i, np.arange(k) != value - 1] = -np.inf
    return score


def _shares(candidates: Candidates, k: int) -> np.ndarray:
    """(n, k) evidence as a distribution over k values: all zero where there is none."""
    share = np.zeros((len(candidates), k))
    share[:, : candidates.evidence.shape[1]] = candidates.evidence
    return share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9)


def apart_score(
    candidates: Candidates, tail: np.ndarray, head: np.ndarray, u: np.ndarray, v: np.ndarray, prior: SkeletonPrior
) -> np.ndarray:
    """(E, W, W) score of how many values and levels the network sees between the ends of steps.

    A network that names the whole spine a level too low still counts right from disc to disc. ``u`` and ``v``
    (E or 1, W) are the values that are considered at the tails and at the heads.
    """
    k = len(prior.level_mm)
    share = _shares(candidates, k)
    later = sliding_window_view(np.pad(share[head], ((0, 0), (0, k - 1))), k, axis=1)  # by each lag
    lag_share = np.einsum("em,elm->el", share[tail], later)
    lag_share = prior.evidence_floor / k + (1 - prior.evidence_floor) * lag_share
    lags = np.maximum(v[:, None, :] - u[:, :, None], 0)
    score = np.float32(prior.apart_weight * np.log(k * lag_share))[np.arange(len(tail))[:, None, None], lags]

    levels_mm = np.array(prior.level_mm, dtype=np.float32)
    seen_mm = np.float32(candidates.level_mm[head] - candidates.level_mm[tail])[:, None, None]
    z = (seen_mm - (levels_mm[v][:, None, :] - levels_mm[u][:, :, None])) / np.float32(prior.apart_sd_mm)
    level = np.float32(log_peak(prior.apart_sd_mm, float(np.ptp(levels_mm)))) - toll(z, prior.knee)
    return score + np.float32(prior.apart_weight) * np.where(np.isnan(level), 0, level)
