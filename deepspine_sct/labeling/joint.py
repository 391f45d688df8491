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

from .heatmap import Candidates, descending
from .lattice import Lattice
from .movement import MOVED_SD_MM, PLACE_SD_MM, Shift
from .prior import SkeletonPrior
from .promising import Promising
from .scores import apart_score, candidate_score, log_peak, toll
from .skeleton import Alone
from .steps import Steps, Window, connect, find_steps, scales_of

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
    alone : Alone, optional
        What the ordering says of it by itself.
    """

    candidates: Candidates
    span_mm: tuple[float, float]
    alone: Alone | None = None

    def part(self, prior: SkeletonPrior) -> Promising:
        """Return what is considered of it: what is promising by itself, if that is known."""
        if self.alone is not None:
            return self.alone.reading.part
        return Promising.everything(len(self.candidates), len(prior.level_mm), prior.n_scales)


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
    values : (n, K) bool
        The values that are considered at each place, at least one.
    scales : (S,) bool
        The body sizes that are considered, at least one.
    """

    xyz_mm: np.ndarray
    member: np.ndarray
    shift_mm: np.ndarray
    block: np.ndarray
    values: np.ndarray
    scales: np.ndarray

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
        return ((self.member[tail] >= 0) & (self.member[head] >= 0)).any(axis=-1)


def alone(views: Sequence[View], j: int, prior: SkeletonPrior) -> Joint:
    """Take what is considered of one view; its candidates must run from superior to inferior."""
    part = views[j].part(prior)
    kept = np.flatnonzero(part.values.any(axis=1))
    member = np.full((len(kept), len(views)), -1)
    member[:, j] = kept
    block = np.full(len(views), -1)
    block[j] = j
    xyz_mm = views[j].candidates.xyz_mm[kept]
    return Joint(xyz_mm, member, np.zeros((len(views), 3)), block, part.values[kept], part.scales)


def combine(one: Joint, other: Joint, shift: Shift, views: Sequence[View]) -> Joint:
    """Put two groups of views together, the other one moved.

    A place that both groups have is the mean of all its candidates. It may have the values that both consider there,
    and is left out where there is none.
    """
    shift_mm = one.shift_mm + other.shift_mm
    shift_mm[other.views] += shift.by_mm
    rows, cols = np.array(shift.pairs, dtype=int).reshape(-1, 2).T
    both, values = one.member.copy(), one.values.copy()
    both[rows] = np.maximum(both[rows], other.member[cols])
    values[rows] &= other.values[cols]
    member = np.vstack([both, np.delete(other.member, cols, axis=0)])
    values = np.vstack([values, np.delete(other.values, cols, axis=0)])
    sum_mm, count = np.zeros((len(member), 3)), np.zeros((len(member), 1))
    for j in (*one.views, *other.views):
        at = member[:, j] >= 0
        sum_mm[at] += views[j].candidates.xyz_mm[member[at, j]] + shift_mm[j]
        count[at] += 1
    xyz_mm = sum_mm / count
    block = np.maximum(one.block, other.block)
    for j in rows:
        sharing = np.unique(block[member[j] >= 0])
        block[np.isin(block, sharing)] = sharing[0]
    rank = descending(xyz_mm)
    rank = rank[values[rank].any(axis=1)]
    scales = one.scales & other.scales
    joint = Joint(
        xyz_mm[rank], member[rank], shift_mm, block, values[rank], scales if scales.any() else one.scales | other.scales
    )
    keep = np.sort(np.argsort(-joint.strength(views), kind="stable")[:MOST_PLACES])
    return replace(joint, xyz_mm=joint.xyz_mm[keep], member=joint.member[keep], values=joint.values[keep])


def joint_lattice(joint: Joint, views: Sequence[View], prior: SkeletonPrior) -> Lattice:
    """Score every part of every path over the places of some views; of one view as `build_lattice` does."""
    steps = find_steps(joint.xyz_mm, prior, _considered(joint, views, prior))
    steps = _expected(steps, joint, views, prior)
    window = Window.around(joint.values)
    apart = _apart(joint, views, prior, steps, window)
    return connect(steps, _unary(joint, views, prior), window, apart, scales_of(prior)[joint.scales], prior)


def _considered(joint: Joint, views: Sequence[View], prior: SkeletonPrior) -> np.ndarray:
    """(n, n) bool: whether every view considers the step from a place to another, and what it passes over."""
    index = np.arange(len(joint.xyz_mm))
    considered = np.ones((len(index), len(index)), dtype=bool)
    for j in joint.views:
        part, shown = views[j].part(prior), joint.member[:, j] >= 0
        rows, own = index[shown], joint.member[shown, j]
        steps = part.steps[np.ix_(own, own)]
        considered[np.ix_(shown, shown)] &= steps
        # A step to a place that it does not show passes over its own discs up to the next one that it considers.
        onward = np.where(part.ends[own], len(index), np.where(steps, rows, -1).max(axis=1, initial=-1))
        back = np.where(
            part.starts[own], -1, np.where(steps, rows[:, None], len(index)).min(axis=0, initial=len(index))
        )
        considered[np.ix_(shown, ~shown)] &= onward[:, None] > index[~shown]
        considered[np.ix_(~shown, shown)] &= back < index[~shown, None]
    return considered


def _expected(steps: Steps, joint: Joint, views: Sequence[View], prior: SkeletonPrior) -> Steps:
    """Expect less of the steps that no single view shows."""
    loose = ~joint.shown_by_one(steps.tail, steps.head)
    untied = loose & _untied(joint, steps)
    return replace(
        steps,
        tip_mm2=prior.tip_sd_mm**2 + untied * MOVED_SD_MM**2 / 2,  # of each of two ends
        seen=np.where(loose, _seen_share(joint, views, steps), 1.0),
    )


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


def _apart(joint: Joint, views: Sequence[View], prior: SkeletonPrior, steps: Steps, window: Window) -> np.ndarray:
    """(E, W, W) mean over the views that show both ends of a step; zero where none does."""
    score = np.zeros((len(steps.tail), window.width, window.width), dtype=np.float32)
    count = np.zeros(len(steps.tail), dtype=np.float32)
    for j in joint.views:
        tail, head = joint.member[steps.tail, j], joint.member[steps.head, j]
        at = (tail >= 0) & (head >= 0)
        u, v = window.at(steps.tail[at]), window.at(steps.head[at])
        score[at] += apart_score(views[j].candidates, tail[at], head[at], u, v, prior)
        count[at] += 1
    return score / np.maximum(count, 1)[:, None, None]


def _untied(joint: Joint, steps: Steps) -> np.ndarray:
    """(E,) bool: whether no shared disc says how the views of a step's two ends lie to each other."""
    blocks = np.unique(joint.block[joint.views])
    at = np.stack([(joint.member[:, joint.block == block] >= 0).any(axis=1) for block in blocks], axis=1)
    return ~(at[steps.tail] & at[steps.head]).any(axis=1)


def _seen_share(joint: Joint, views: Sequence[View], steps: Steps) -> np.ndarray:
    """(E,) share, in tenths, of each step that some view shows well enough to miss a disc there."""
    at_mm = np.linspace(joint.xyz_mm[steps.tail, 2], joint.xyz_mm[steps.head, 2], 41)
    seen = np.zeros(at_mm.shape, dtype=bool)
    for j in joint.views:
        low_mm, high_mm = np.array(views[j].span_mm) + joint.shift_mm[j, 2]
        seen |= (at_mm > low_mm + HALF_DISC_MM) & (at_mm < high_mm - HALF_DISC_MM)
    return np.round(seen.mean(axis=0), 1)
