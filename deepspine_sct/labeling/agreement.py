"""What it costs and brings several scans to be one spine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .joint import Joint, View
from .lattice import Lattice, along
from .movement import MOVED_SD_MM, NEAR_NATS, kinship
from .prior import SkeletonPrior
from .scores import log_peak


@dataclass(frozen=True)
class Agreement:
    """How well one naming of several scans suits them.

    Attributes
    ----------
    worth : float
        Log likelihood ratio of the scans' being this spine against images without discs [nats]: what
        each of them says of its own part, of the discs that they share and of the steps between them.
    shared_discs : int
        Discs that more than one scan shows.
    fits : bool
        Whether every scan can go along with it at all.
    """

    worth: float
    shared_discs: int
    fits: bool


def agree(
    joint: Joint,
    path: Sequence[tuple[int, int]],
    lattice: Lattice,
    views: Sequence[View],
    lattices: Sequence[Lattice],
    prior: SkeletonPrior,
) -> Agreement:
    """Weigh one naming of several scans by what each of them says by itself.

    Parameters
    ----------
    joint : Joint
        The scans together.
    path : sequence of (place, value)
        The naming, values 0-based.
    lattice : Lattice
        Of the joint.
    views, lattices : sequence of View, sequence of Lattice
        Each scan and its own lattice.
    prior : SkeletonPrior
        Geometry and weights.
    """
    scores = []
    for j in joint.views:
        own = [(int(joint.member[i, j]), v) for i, v in path if joint.member[i, j] >= 0]
        if own:
            scores.append(along(lattices[j], own)[joint.scales])
    if not scores:
        return Agreement(0.0, 0, True)
    at_scale = sum(scores) - (len(scores) - 1) * lattice.scale + _between(joint, path, lattice)
    places = [i for i, _ in path]
    shared = int(((joint.member[places] >= 0).sum(axis=1) > 1).sum())
    worth = float(at_scale.max()) + _one_person(joint, places, views, prior)
    return Agreement(worth, shared, bool(np.isfinite(worth)))


def _one_person(joint: Joint, places: Sequence[int], views: Sequence[View], prior: SkeletonPrior) -> float:
    """Score of the shared discs against those of another person, moved so that they nearly coincide.

    Each scan's own distances count in what it says by itself. The first disc that two scans share says only
    that the movement between them is small: in the next person's spine some disc would be as near.
    """
    seen = (joint.member[places] >= 0).sum(axis=1)
    ties = len(joint.views) - len(set(joint.block[joint.views]))
    score = NEAR_NATS * (float(np.maximum(seen - 1, 0).sum()) - ties)
    score += ties * float(log_peak(MOVED_SD_MM, np.mean(prior.spacing_mm)))
    for j in joint.views:
        at = np.array(places)[(joint.member[places, j] >= 0) & (seen > 1)]
        seen_mm = views[j].candidates.xyz_mm[joint.member[at, j]] + joint.shift_mm[j]
        score += float(kinship((seen_mm - joint.xyz_mm[at])[:, 1:], prior.knee).sum())
    return score


def _between(joint: Joint, path: Sequence[tuple[int, int]], lattice: Lattice) -> np.ndarray:
    """(S,) score of the steps of a path that no single scan shows."""
    steps, scores = lattice.steps_of(path)
    return scores[~joint.shown_by_one(lattice.tail[steps], lattice.head[steps])].sum(axis=0, dtype=float)


def support(lattice: Lattice, names: Sequence[tuple[int, int]]) -> float:
    """By how much a scan prefers its names to the same ones a level higher or lower [nats]; 0 without names."""
    if not names:
        return 0.0
    k = lattice.unary.shape[1]  # a lattice of all values
    shifted = [[(i, v + by) for i, v in names] for by in (-1, 1)]
    possible = [path for path in shifted if path[0][1] >= 0 and path[-1][1] < k]
    rivals = [along(lattice, path).max() for path in possible]
    return float(along(lattice, list(names)).max() - max(rivals, default=-np.inf))
