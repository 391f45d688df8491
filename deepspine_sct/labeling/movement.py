"""How far a person may have moved between two scans, read from the discs that both show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .scores import log_peak, toll

MOVED_SD_MM = 5.0
"""Standard deviation of a person's movement between two scans, along one axis (assumed: people who
are asked to lie still move by a few millimetres, and by ten when they cough)."""
MOVED_MM = 15.0
"""What has moved farther than this in the sagittal plane, or fits only then, is not put together."""
ASIDE_MM = 30.0
"""The same across it. A slab shows a disc over several centimetres of left-right, so that its place
along this axis is known least, and says least about movement."""
PLACE_MM = 6.0
"""Candidates of two scans that are nearer than this in the sagittal plane, after the movement, may be
one disc. Two discs are 14 mm apart or more."""
PLACE_SD_MM = 1.5
"""Standard deviation of a tip's place along one axis of the sagittal plane, as a scan shows it."""
STRANGE_SD_MM = 3.0
"""The same where the other scan is of another person, and moved so that some discs coincide: distances
between discs differ by about a tenth from person to person."""
MOST_SHIFTS = 3
"""So many movements are tried, none being one of them."""
HOPELESS_NATS = 7.0
"""What is so much less plausible than the best movement is not tried."""


@dataclass(frozen=True)
class Shift:
    """One movement that may have been.

    Attributes
    ----------
    by_mm : (3,) tuple of float
        What is to be added to the world RAS+ positions of the other scan.
    pairs : tuple of (int, int)
        Candidates of the one scan and of the other that then lie at one place.
    """

    by_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    pairs: tuple[tuple[int, int], ...] = ()

    def cost(self, knee: float) -> float:
        """Cost of so much movement [nats]."""
        return float(toll(np.array(self.by_mm[1:]) / MOVED_SD_MM, knee).sum())


def possible_shifts(
    one_xyz: np.ndarray,
    one_strength: np.ndarray,
    other_xyz: np.ndarray,
    other_strength: np.ndarray,
    reach_mm: float,
    knee: float,
) -> list[Shift]:
    """Find the movements after which most discs of two scans lie at one place.

    Every two candidates that may be one disc propose a movement; what then coincides corrects it.

    Parameters
    ----------
    one_xyz, other_xyz : (n, 3), (m, 3)
        World RAS+ positions of the candidates [mm].
    one_strength, other_strength : (n,), (m,)
        Their probability of being a disc.
    reach_mm, knee : float
        Of the prior.

    Returns
    -------
    list of Shift
        The most plausible first, at most `MOST_SHIFTS`. No movement is among them where it is as
        plausible as others, and alone where no candidates are near each other.
    """
    away_mm = one_xyz[:, None] - other_xyz[None]
    proposals_mm = away_mm[_may_be_one(away_mm, MOVED_MM)]
    weight = one_strength[:, None] * other_strength
    still = Shift(pairs=_pairs(away_mm))
    worth = {still: _worth(still, away_mm, weight, reach_mm, knee)}
    for by_mm in proposals_mm:
        shift = _settled(away_mm, weight, by_mm)
        if shift is not None and all(shift.pairs != known.pairs for known in worth if known is not still):
            worth[shift] = _worth(shift, away_mm, weight, reach_mm, knee)
    found = sorted(worth, key=lambda shift: (-worth[shift], shift.by_mm))
    if any(shift.pairs == still.pairs for shift in found if shift is not still):
        found.remove(still)  # the same discs coincide better after a small movement
    return [shift for shift in found[:MOST_SHIFTS] if worth[shift] > worth[found[0]] - HOPELESS_NATS]


def _worth(shift: Shift, away_mm: np.ndarray, weight: np.ndarray, reach_mm: float, knee: float) -> float:
    """How plausible a movement is, by the candidates that coincide after it [nats]."""
    rows, cols = np.array(shift.pairs, dtype=int).reshape(-1, 2).T
    residual_mm = away_mm[rows, cols, 1:] - shift.by_mm[1:]
    return float((weight[rows, cols] * coincidence(residual_mm, reach_mm, knee)).sum()) - shift.cost(knee)


def coincidence(residual_mm: np.ndarray, reach_mm: float, knee: float) -> np.ndarray:
    """(n,) score of two candidates (n, 2) apart in the sagittal plane being one disc, against a ghost and a disc."""
    sd_mm = np.sqrt(2) * PLACE_SD_MM
    return log_peak(sd_mm, reach_mm) - toll(residual_mm / sd_mm, knee).sum(axis=-1)


def kinship(residual_mm: np.ndarray, knee: float) -> np.ndarray:
    """(n,) score of discs that lie (n, 2) from where another scan has them being the same person's discs."""
    same, strange = (toll(residual_mm / sd_mm, knee).sum(axis=-1) for sd_mm in (PLACE_SD_MM, STRANGE_SD_MM))
    return strange - same


NEAR_NATS = 2 * math.log(STRANGE_SD_MM / PLACE_SD_MM)
"""What one more disc that is exactly where another scan has it says for one person."""


def _may_be_one(away_mm: np.ndarray, most_mm: float) -> np.ndarray:
    """(n, m) bool: whether places (n, m, 3) apart are near enough to each other."""
    return (np.linalg.norm(away_mm[..., 1:], axis=-1) <= most_mm) & (np.abs(away_mm[..., 0]) <= ASIDE_MM)


def _pairs(away_mm: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Pairs of which each is the other's nearest, and near enough."""
    if away_mm.size == 0:
        return ()
    distance_mm = np.where(_may_be_one(away_mm, PLACE_MM), np.linalg.norm(away_mm[..., 1:], axis=-1), np.inf)
    mutual = (distance_mm == distance_mm.min(axis=1, keepdims=True)) & (distance_mm == distance_mm.min(axis=0))
    taken: dict[int, int] = {}
    for i, j in np.argwhere(mutual & np.isfinite(distance_mm)):
        if i not in taken and j not in taken.values():
            taken[int(i)] = int(j)
    return tuple(sorted(taken.items()))


def _settled(away_mm: np.ndarray, weight: np.ndarray, by_mm: np.ndarray) -> Shift | None:
    """Correct a movement by the mean of what coincides after it; None where that leads out of bounds."""
    for _ in range(3):
        pairs = _pairs(away_mm - by_mm)
        if not pairs:
            return None
        rows, cols = np.array(pairs).T
        by_mm = np.average(away_mm[rows, cols], axis=0, weights=weight[rows, cols])
    if not _may_be_one(by_mm[None], MOVED_MM)[0]:
        return None
    return Shift(tuple(by_mm.tolist()), pairs)
