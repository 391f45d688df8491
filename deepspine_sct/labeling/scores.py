"""What each part of a naming scores: a candidate's value, a step between two, a turn between two steps.

All scores are log likelihood ratios [nats] of a spine against ghosts; `SkeletonPrior` says what each
number is and where it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from .. import anatomy
from .heatmap import Candidates
from .lattice import Lattice
from .prior import SkeletonPrior


def build_lattice(
    candidates: Candidates,
    prior: SkeletonPrior,
    pinned: dict[int, int] | None = None,
    values: tuple[int, ...] = anatomy.DISC_VALUES,
) -> Lattice:
    """Score every part of every path.

    Parameters
    ----------
    candidates : Candidates
        n candidates, superior to inferior.
    prior : SkeletonPrior
        Geometry and weights.
    pinned : dict of int to int, optional
        Candidate index to the disc value that it must carry.
    values : tuple of int
        Disc values asked for.

    Returns
    -------
    Lattice
        Over n candidates and the prior's K values.
    """
    unary = candidate_score(candidates, prior, pinned or {})
    unary[:, ~np.isin(np.arange(1, len(prior.level_mm) + 1), values)] -= prior.elsewhere_cost
    apart = partial(apart_score, candidates, prior=prior)
    return connect(candidates.xyz_mm, unary, apart, prior, sorted(pinned or {}))


def connect(
    xyz_mm: np.ndarray,
    unary: np.ndarray,
    apart: Callable[[np.ndarray, np.ndarray], np.ndarray],
    prior: SkeletonPrior,
    must: Sequence[int] = (),
) -> Lattice:
    """Score the steps between scored places.

    Parameters
    ----------
    xyz_mm : (n, 3)
        Places, superior to inferior, world RAS+ [mm].
    unary : (n, K)
        Score of each value at each place.
    apart : callable
        ``apart(tail, head)`` is the (E, K, K) score of what images say of the ends of each step.
    prior : SkeletonPrior
        Geometry and weights.
    must : sequence of int
        Increasing indices of the places that every path visits.
    """
    tail, head = np.triu_indices(len(xyz_mm), 1)
    step_mm = xyz_mm[head] - xyz_mm[tail]
    length_mm, angle = measure(step_mm)
    pins = np.array(must, dtype=int)
    skips_pin = np.searchsorted(pins, head) - np.searchsorted(pins, tail, side="right") > 0
    keep = (angle <= np.radians(prior.max_angle_deg)) & ~skips_pin
    tail, head, step_mm, length_mm, angle = (part[keep] for part in (tail, head, step_mm, length_mm, angle))
    scales = scales_of(prior)
    size_z = (np.log(scales) - np.log(prior.scale_mean)) / prior.scale_sd
    known = apart(tail, head) - tilt_cost(angle, prior)[:, None, None]
    index = np.arange(len(xyz_mm))
    return Lattice(
        unary=np.float32(unary),
        scale=np.float32(-0.5 * size_z**2),
        tail=tail,
        head=head,
        link=link_score(length_mm, known, scales, prior),
        turn=turn_score(np.float32(step_mm / length_mm[:, None]), np.float32(length_mm), prior),
        starts=index <= pins.min(initial=len(index)),
        ends=index >= pins.max(initial=-1),
    )


def measure(step_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Length [mm] and angle to the vertical [rad], both (E,), of steps (E, 3)."""
    length_mm = np.linalg.norm(step_mm, axis=1)
    return length_mm, np.arccos(np.clip(-step_mm[:, 2] / np.maximum(length_mm, 1e-6), -1, 1))


def scales_of(prior: SkeletonPrior) -> np.ndarray:
    """(S,) body sizes that are tried."""
    return np.geomspace(*prior.scale_range, prior.n_scales)


def tilt_cost(angle: np.ndarray, prior: SkeletonPrior) -> np.ndarray:
    """(E,) cost of steps at some angles (E,) to the vertical [rad]."""
    return toll(angle / np.radians(prior.angle_sd_deg), prior.knee)


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


def apart_score(candidates: Candidates, tail: np.ndarray, head: np.ndarray, prior: SkeletonPrior) -> np.ndarray:
    """(E, K, K) score of how many values and levels the network sees between a step's ends.

    A network that names the whole spine a level too low still counts right from disc to disc.
    """
    k = len(prior.level_mm)
    share = _shares(candidates, k)
    lags = np.arange(k) - np.arange(k)[:, None]
    lag_share = np.zeros((len(tail), k))  # of each positive lag
    for lag in range(1, k):
        lag_share[:, lag] = (share[tail, : k - lag] * share[head, lag:]).sum(axis=1)
    lag_share = prior.evidence_floor / k + (1 - prior.evidence_floor) * lag_share
    score = prior.apart_weight * np.log(k * lag_share)[:, np.maximum(lags, 0)]

    levels_mm = np.array(prior.level_mm, dtype=np.float32)
    seen_mm = np.float32(candidates.level_mm[head] - candidates.level_mm[tail])[:, None, None]
    z = (seen_mm - (levels_mm - levels_mm[:, None])) / prior.apart_sd_mm
    level = log_peak(prior.apart_sd_mm, float(np.ptp(levels_mm))) - toll(z, prior.knee)
    return score + prior.apart_weight * np.where(np.isnan(level), 0, level)


def link_score(length_mm: np.ndarray, known: np.ndarray, scales: np.ndarray, prior: SkeletonPrior) -> np.ndarray:
    """(E, S, K, K) score of steps of some length (E,) and other scores (E, K, K) at each scale."""
    spacing_mm = np.array(prior.spacing_mm)
    position_mm = np.concatenate([[0], np.cumsum(spacing_mm)])
    variance_mm2 = np.concatenate([[0], np.cumsum((spacing_mm * prior.spread) ** 2)])
    values = np.arange(len(position_mm))
    missing = values - values[:, None] - 1
    gap_cost = prior.missing_cost + prior.missing_more_cost * (missing - 1.0)
    gap_cost[missing == 0] = 0
    gap_cost[missing < 0] = np.inf
    # Single precision, and a scale at a time: memory, not arithmetic, takes the time here.
    score = np.empty((len(length_mm), len(scales), *missing.shape), dtype=np.float32)
    length_mm, known = np.float32(length_mm)[:, None, None], np.float32(known)
    for s, scale in enumerate(scales):
        mean_mm = scale * (position_mm - position_mm[:, None])  # (K, K)
        own_mm2 = scale**2 * np.abs(variance_mm2 - variance_mm2[:, None])
        sd_mm = np.sqrt(own_mm2 + 2 * prior.tip_sd_mm**2)
        gain = log_peak(sd_mm, prior.reach_mm) - gap_cost
        z = (length_mm - np.float32(mean_mm)) / np.float32(sd_mm)
        score[:, s] = known + np.float32(gain) - toll(z, prior.knee)
    return score


def turn_score(direction: np.ndarray, length_mm: np.ndarray, prior: SkeletonPrior) -> np.ndarray:
    """(E, E) score of two successive steps with unit vectors `direction` (E, 3)."""
    change_rad = np.sqrt(np.maximum(2 - 2 * direction @ direction.T, 0))
    near, far = 1 / length_mm, 1 / length_mm[:, None]
    noise = prior.tip_sd_mm**2 * (near**2 + far**2 + (near + far) ** 2)
    apart_mm = (length_mm + length_mm[:, None]) / 2
    bend = (math.radians(prior.bend_deg_per_mm) * apart_mm) ** 2
    return -toll(change_rad / np.sqrt(noise + bend), prior.knee)
