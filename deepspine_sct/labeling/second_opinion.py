"""What other looks say of the names: they change none, but doubt those that they would not give themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from ..anatomy import DISC_VALUES
from .confidence import SURE, UNLIKELY, least_sure, name_share
from .discs import Disc, Labeling
from .heatmap import Candidates
from .prior import SkeletonPrior
from .skeleton import name_posterior, strongest
from .steps import Window, build_lattice

SAME_MM = 8.0
"""A candidate within this distance of a disc, seen from the side, is that disc."""

_EITHER_SIDE = 2
"""Names that are as many levels away are compared; with three, and with all, the confidences are the same."""

_FARTHEST_STEP = 4
"""Candidates between two discs of one naming are at most one fewer: with all steps, the confidences are the same."""


_HARDLY = 1e-6
"""What is a disc with less probability says nothing of its name."""


def other_opinions(
    labeling: Labeling,
    second: Candidates,
    from_afar: Callable[[], Candidates],
    prior: SkeletonPrior,
    asked: Collection[int] = DISC_VALUES,
) -> Labeling:
    """Ask the second look for its opinion of the names, and a third one where it can still decide whether to doubt.

    The second look sees the discs on finer pixels, the third one on coarser pixels: as if the spine were smaller. Names
    that are sure or doubted already are not worth its time.

    Parameters
    ----------
    labeling : Labeling
        The discs, as the first look named them.
    second : Candidates
        Of the second look.
    from_afar : callable
        Takes the third look and returns its candidates.
    prior, asked
        As for `second_opinion`.

    Returns
    -------
    Labeling
        See `second_opinion`.
    """
    labeling = second_opinion(labeling, second, prior, asked)
    if not UNLIKELY <= least_sure(labeling.discs) < SURE:
        return labeling
    return second_opinion(labeling, from_afar(), prior, asked)


def second_opinion(
    labeling: Labeling, candidates: Candidates, prior: SkeletonPrior, asked: Collection[int] = DISC_VALUES
) -> Labeling:
    """Doubt the names that another look would not give by itself.

    It counts as much as what was known before: the share of a name is the geometric mean of both, and never more than
    before. All looks see the same image with the same network, so that they do not confirm each other.

    Parameters
    ----------
    labeling : Labeling
        The discs, with the names and confidences that they have so far.
    candidates : Candidates
        Of the other look, in any order.
    prior : SkeletonPrior
        Geometry and weights of the ordering.
    asked : collection of int, optional
        Disc values that the user asked for, which decide where the image leaves the names open; see `order`.

    Returns
    -------
    Labeling
        The same names, with less confidence in some of them. Its sentences and the confidence in the names as a
        whole are those of before; see `cautions.told_anew`.
    """
    candidates = strongest(candidates, prior)
    if not labeling.discs or len(candidates) == 0:
        return labeling
    share = _shares(labeling.discs, candidates, prior, asked)
    away_mm = np.array([np.linalg.norm((candidates.xyz_mm - disc.xyz_mm)[:, 1:], axis=1) for disc in labeling.discs])
    nearest = away_mm.argmin(axis=1)
    discs = [
        _doubted(disc, share[i, disc.value - 1]) if mm <= SAME_MM and share[i].any() else disc
        for disc, i, mm in zip(labeling.discs, nearest, away_mm.min(axis=1), strict=True)
    ]
    return replace(labeling, discs=discs)


def _doubted(disc: Disc, share: float) -> Disc:
    left = math.sqrt(min(share / disc.name_confidence, 1)) if disc.name_confidence > 0 else 1.0
    return replace(disc, confidence=left * disc.confidence, name_confidence=left * disc.name_confidence)


def _shares(discs: list[Disc], candidates: Candidates, prior: SkeletonPrior, asked: Collection[int]) -> np.ndarray:
    """(n, K) probability of each name of a candidate, if it is a disc; all zero where it can hardly be one."""
    n, k = len(candidates), len(prior.level_mm)
    width = min(2 * _EITHER_SIDE + 1, k)
    around = np.round(_value_at(candidates.xyz_mm[:, 2], discs, prior)).astype(int) - 1
    window = Window(np.clip(around - _EITHER_SIDE, 0, k - width), width)
    place = np.arange(n)
    near = np.abs(place[:, None] - place) <= _FARTHEST_STEP
    lattice = build_lattice(candidates, prior, values=tuple(asked), window=window, considered=near)
    posterior = lattice.by_value(name_posterior(lattice.tempered(prior.temperature), may_be_empty=False), k, 0.0)
    posterior[posterior.sum(axis=1) < _HARDLY] = 0
    return name_share(posterior)


def _value_at(z_mm: np.ndarray, discs: list[Disc], prior: SkeletonPrior) -> np.ndarray:
    """(n,) disc value, fractional, at some heights: between the discs, and beyond them at the usual distances."""
    values = np.array([disc.value for disc in discs], dtype=float)
    down_mm = -np.array([disc.xyz_mm[2] for disc in discs])
    usual_mm = np.append(0, np.cumsum(prior.spacing_mm))
    known = np.arange(1.0, len(usual_mm) + 1)
    at_discs = np.interp(values, known, usual_mm)
    size = max(np.ptp(down_mm) / np.ptp(at_discs), prior.scale_range[0]) if len(discs) > 1 else 1.0
    order = down_mm.argsort()
    ends = order[[0, -1]]
    beyond_mm = -z_mm - np.clip(-z_mm, *down_mm[ends])
    inside_mm = np.interp(-z_mm, down_mm[order], at_discs[order])
    return np.interp(inside_mm + beyond_mm / size, usual_mm, known)
