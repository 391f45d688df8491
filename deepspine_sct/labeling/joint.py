"""Candidates of several scans as one list, and the lattice over it.

Candidates of different scans that lie at one place are one disc: what the scans say of it adds up.
The names within a scan are weighed as for the scan alone, except that the other scans' names depend
on the same body (`SkeletonPrior.kinship`). How many discs lie between two candidates is asked of the
scans that show both. Where no scan shows both, the distance alone speaks, less sharply if nothing
ties the scans to each other, and discs that lie where no scan has looked are not missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .heatmap import Candidates
from .lattice import Lattice
from .movement import MOVED_SD_MM, PLACE_SD_MM, Shift
from .prior import SkeletonPrior
from .scores import apart_score, candidate_score, connect, link_score, log_peak, measure, scales_of, tilt_cost, toll

MOST_PLACES = 60
"""Only the strongest places are considered; time grows with their square."""
HALF_DISC_MM = 8.0
"""So near the end of a scan a disc is easily missed: nobody has looked there."""


@dataclass(frozen=True, eq=False)
class View:
    """What one scan shows.

    Attributes
    ----------
    candidates : Candidates
        In any order.
    span_mm : (float, float)
        Lowest and highest world z that the scan shows [mm].
    """

    candidates: Candidates
    span_mm: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Joint:
    """Candidates of some of m views, in the world of one of them.

    Attributes
    ----------
    xyz_mm : (n, 3)
        Places, superior to inferior; RAS+ [mm].
    member : (n, m) int
        Index of the candidate of each view at each place, -1 where it has none there.
    shift_mm : (m, 3)
        What was added to the positions of each view.
    block : (m,) int
        Views of one block are tied to each other by discs that they share; -1 for views left out.
    """

    xyz_mm: np.ndarray
    member: np.ndarray
    shift_mm: np.ndarray
    block: np.ndarray

    @property
    def views(self) -> list[int]:
        """Views that take part."""
        return np.flatnonzero(self.block >= 0).tolist()

    def strength(self, views: Sequence[View]) -> np.ndarray:
        """(n,) highest strength that a view sees at each place."""
        strength = np.zeros(self.member.shape)
        for j in self.views:
            rows = self.member[:, j] >= 0
            strength[rows, j] = views[j].candidates.strength[self.member[rows, j]]
        return strength.max(axis=1, initial=0)

    def shown_by_one(self, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
        """(E,) bool: whether some view shows both ends of each step."""
        return ((self.member[tail] >= 0) & (self.member[head] >= 0)).any(axis=1)


def alone(views: Sequence[View], j: int) -> Joint:
    """Take one view by itself; its candidates must run from superior to inferior."""
    xyz_mm = views[j].candidates.xyz_mm
    member = np.full((len(xyz_mm), len(views)), -1)
    member[:, j] = np.arange(len(xyz_mm))
    block = np.full(len(views), -1)
    block[j] = j
    return Joint(xyz_mm, member, np.zeros((len(views), 3)), block)


def combine(one: Joint, other: Joint, shift: Shift, views: Sequence[View]) -> Joint:
    """Put two groups of views together, the other one moved.

    A place that both groups have is the mean of all its candidates.
    """
    shift_mm = one.shift_mm + other.shift_mm
    shift_mm[other.views] += shift.by_mm
    rows, cols = np.array(shift.pairs, dtype=int).reshape(-1, 2).T
    both = one.member.copy()
    both[rows] = np.maximum(both[rows], other.member[cols])
    member = np.vstack([both, np.delete(other.member, cols, axis=0)])
    sum_mm, count = np.zeros((len(member), 3)), np.zeros((len(member), 1))
    for j in (*one.views, *other.views):
        at = member[:, j] >= 0
        sum_mm[at] += views[j].candidates.xyz_mm[member[at, j]] + shift_mm[j]
        count[at] += 1
    xyz_mm = sum_mm / count
    x_mm, y_mm, z_mm = xyz_mm.T
    rank = np.lexsort((x_mm, y_mm, -z_mm))
    block = np.maximum(one.block, other.block)
    for j in rows:
        sharing = np.unique(block[member[j] >= 0])
        block[np.isin(block, sharing)] = sharing[0]
    joint = Joint(xyz_mm[rank], member[rank], shift_mm, block)
    keep = np.argsort(-joint.strength(views), kind="stable")[:MOST_PLACES]
    keep.sort()
    return replace(joint, xyz_mm=joint.xyz_mm[keep], member=joint.member[keep])


def joint_lattice(joint: Joint, views: Sequence[View], prior: SkeletonPrior) -> Lattice:
    """Score every part of every path over the places of some views; of one view as `build_lattice` does."""

    def apart(tail: np.ndarray, head: np.ndarray) -> np.ndarray:
        return _apart(joint, views, prior, tail, head)

    lattice = connect(joint.xyz_mm, _unary(joint, views, prior), apart, prior)
    loose = np.flatnonzero(~joint.shown_by_one(lattice.tail, lattice.head))
    tail, head = lattice.tail[loose], lattice.head[loose]
    length_mm, angle = measure(joint.xyz_mm[head] - joint.xyz_mm[tail])
    known, scales = -tilt_cost(angle, prior)[:, None, None], scales_of(prior)
    kinds = np.column_stack([_untied(joint, tail, head), _seen_share(joint, views, tail, head)])
    for untied, seen in np.unique(kinds, axis=0):
        of_kind = (kinds == (untied, seen)).all(axis=1)
        expected = _loosened(prior, bool(untied), float(seen))
        lattice.link[loose[of_kind]] = link_score(length_mm[of_kind], known[of_kind], scales, expected)
    return lattice


def coincidences(joint: Joint, views: Sequence[View], prior: SkeletonPrior) -> np.ndarray:
    """(n,) score of the candidates of each place being one disc seen several times, not several things."""
    several = (joint.member >= 0).sum(axis=1) - 1
    score = several * log_peak(np.sqrt(2) * PLACE_SD_MM, prior.reach_mm)
    for j in joint.views:
        at = np.flatnonzero((joint.member[:, j] >= 0) & (several > 0))
        seen_mm = views[j].candidates.xyz_mm[joint.member[at, j]] + joint.shift_mm[j]
        score[at] -= toll((seen_mm - joint.xyz_mm[at])[:, 1:] / PLACE_SD_MM, prior.knee).sum(axis=1)
    return score


def _unary(joint: Joint, views: Sequence[View], prior: SkeletonPrior) -> np.ndarray:
    """(n, K) score of each value at each place."""
    score = np.zeros((len(joint.xyz_mm), len(prior.level_mm)))
    total = sum(views[j].candidates.strength.sum() for j in joint.views)
    for j in joint.views:
        candidates = views[j].candidates
        at = joint.member[:, j] >= 0
        elsewhere = max(total - candidates.strength.sum(), 0) if len(joint.views) > 1 else 0.0
        score[at] += candidate_score(candidates, prior, {}, elsewhere)[joint.member[at, j]]
    return score + coincidences(joint, views, prior)[:, None]


def _apart(joint: Joint, views: Sequence[View], prior: SkeletonPrior, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(E, K, K) mean over the views that show both ends of a step; zero where none does."""
    k = len(prior.level_mm)
    score, count = np.zeros((len(tail), k, k)), np.zeros(len(tail))
    for j in joint.views:
        ends = joint.member[tail, j], joint.member[head, j]
        at = (ends[0] >= 0) & (ends[1] >= 0)
        score[at] += apart_score(views[j].candidates, ends[0][at], ends[1][at], prior)
        count[at] += 1
    return score / np.maximum(count, 1)[:, None, None]


def _loosened(prior: SkeletonPrior, untied: bool, seen: float) -> SkeletonPrior:
    """Return what is expected of a step that no single view shows, and of which a share is seen at all."""
    variance_mm2 = prior.tip_sd_mm**2 + untied * MOVED_SD_MM**2 / 2  # of each of two ends
    return replace(
        prior,
        tip_sd_mm=float(np.sqrt(variance_mm2)),
        missing_cost=seen * prior.missing_cost,
        missing_more_cost=seen * prior.missing_more_cost,
    )


def _untied(joint: Joint, tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(E,) bool: whether no shared disc says how the views of a step's two ends lie to each other."""
    blocks = np.unique(joint.block[joint.views])
    at = np.stack([(joint.member[:, joint.block == block] >= 0).any(axis=1) for block in blocks], axis=1)
    return ~(at[tail] & at[head]).any(axis=1)


def _seen_share(joint: Joint, views: Sequence[View], tail: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(E,) share, in tenths, of each step that some view shows well enough to miss a disc there."""
    at_mm = np.linspace(joint.xyz_mm[tail, 2], joint.xyz_mm[head, 2], 41)
    seen = np.zeros(at_mm.shape, dtype=bool)
    for j in joint.views:
        low_mm, high_mm = np.array(views[j].span_mm) + joint.shift_mm[j, 2]
        seen |= (at_mm > low_mm + HALF_DISC_MM) & (at_mm < high_mm - HALF_DISC_MM)
    return np.round(seen.mean(axis=0), 1)
